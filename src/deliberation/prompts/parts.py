"""Parts of a prompt that hold text of users and models, enclosed so that the text cannot forge its own end."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import count

_MARK_LENGTH = 8


@dataclass(frozen=True)
class Part:
    """A text from outside, under a title of ours."""

    title: str
    text: str


def choose_mark(texts: Iterable[str]) -> str:
    """Return a mark that occurs in none of the texts: the first free one of the digests of all of them.

    The same texts always get the same mark, so a prompt is repeatable and its beginning can be cached.
    """
    enclosed = tuple(texts)
    digest = sha256()
    for text in enclosed:
        data = text.encode("utf-8", "replace")
        digest.update(len(data).to_bytes(8, "big") + data)
    candidates = (sha256(digest.digest() + attempt.to_bytes(8, "big")).hexdigest() for attempt in count())
    marks = (candidate[:_MARK_LENGTH] for candidate in candidates)
    return next(mark for mark in marks if not any(mark in text for text in enclosed))


def enclose(parts: Iterable[Part], mark: str) -> str:
    """Return the parts, each between a first and a last line that carry the mark."""
    return "\n\n".join(f"[{part.title} {mark}]\n{part.text}\n[end {mark}]" for part in parts)
