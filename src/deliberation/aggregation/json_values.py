"""JSON values as answers: read strictly, checked against their schema, and written in one spelling."""

import json
import re
from decimal import Decimal
from typing import Any

from jsonschema import Draft202012Validator

MAX_CHARACTERS = 16_384
"""Longest answer, as JSON in its one spelling."""

MAX_WORK = 200_000
"""Most values of an answer times parts of its schema: what checking costs grows with both."""

LARGEST_EXPONENT = 30
"""Numbers from 1e30 on, and below 1e-30, are refused: nobody means them."""

_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class UnusableValueError(ValueError):
    """A JSON value that cannot stand as an answer."""


def decode_json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the one JSON value that the whole text is. Numbers are Decimals.

    Raises:
        UnusableValueError: it is none, or one with an ambiguous part: a key twice, NaN, infinity.
    """
    try:
        return DECODER.decode(text)
    except (ValueError, ArithmeticError, RecursionError):
        raise UnusableValueError("no JSON value") from None


def spell_json(value: object, schema: dict[str, Any]) -> str | None:
    """Return the value, as `decode_json` gives it, in its one spelling, or None when it does not satisfy the schema.

    Keys are sorted, no white space is wasted, and numbers are integers where they can be and doubles otherwise. Control
    characters and halves of surrogate pairs are escaped, so the spelling is safe to show.
    """
    try:
        plain = _simplify(value)
        spelled = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    if len(spelled) > MAX_CHARACTERS or _count(plain) * _count(schema) > MAX_WORK:
        return None
    if not Draft202012Validator(schema).is_valid(plain):
        return None
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", spelled)


def _simplify(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value with Decimals as int or float.

    Raises:
        UnusableValueError: a number is out of range.
    """
    match value:
        case Decimal():
            return _simplify_number(value)
        case dict():
            return {key: _simplify(part) for key, part in value.items()}
        case list():
            return [_simplify(part) for part in value]
        case _:
            return value


def _simplify_number(number: Decimal) -> int | float:
    if number and abs(number.adjusted()) >= LARGEST_EXPONENT:
        raise UnusableValueError("a number is out of range")
    return int(number) if number == number.to_integral_value() else float(number)


def _count(value: object) -> int:
    """Return how many values a JSON value consists of, itself included."""
    total, open_values = 0, [value]
    while open_values:
        part = open_values.pop()
        total += 1
        if isinstance(part, dict):
            open_values.extend(part.values())
        elif isinstance(part, list):
            open_values.extend(part)
    return total


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UnusableValueError("a key stands twice")
    return found


def _refuse_constant(name: str) -> None:
    raise UnusableValueError(f"{name} is no number")


DECODER = json.JSONDecoder(
    object_pairs_hook=_refuse_twins, parse_int=Decimal, parse_float=Decimal, parse_constant=_refuse_constant
)
"""Reads JSON without loss or doubt; raises ValueError, ArithmeticError or RecursionError on what it refuses."""
