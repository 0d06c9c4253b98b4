"""Chance that is none: every draw is a digest of what it is drawn for, so the same request gets the same answer."""

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

Item = TypeVar("Item")


def draw(*parts: object) -> int:
    """Return a number below 2**64, the same for the same parts."""
    digest = sha256()
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return int.from_bytes(digest.digest()[:8], "big")


def happens(percent: int, *parts: object) -> bool:
    """Return True for that share of all parts."""
    return draw("happens", *parts) % 100 < percent


def pick(items: Sequence[Item], *parts: object) -> Item:
    """Return one of the items, each as often as the others."""
    return items[draw("pick", *parts) % len(items)]
