"""JSON objects in text of models: alone, fenced as code, or somewhere in prose."""

from collections.abc import Iterator
from typing import Any

from deliberation.aggregation.json_values import DECODER

MAX_ATTEMPTS = 64
"""Opening braces that are tried, so that hostile text costs bounded time."""


def find_objects(text: str) -> tuple[dict[str, Any], ...]:
    """Return the whole JSON objects that stand in the text, one after the other. Numbers are Decimals.

    An object with one key twice, NaN or infinity is none: there is no telling what it means. Of an object that is no
    whole one, the objects inside it are found.
    """
    return tuple(_scan(text))


def _scan(text: str) -> Iterator[dict[str, Any]]:
    position = 0
    for _ in range(MAX_ATTEMPTS):
        position = text.find("{", position)
        if position < 0:
            return
        try:
            found, position = DECODER.raw_decode(text, position)
            yield found
        except (ValueError, ArithmeticError, RecursionError):
            position += 1
