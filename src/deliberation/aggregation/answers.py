"""Answers in one spelling: what counts as the same answer is part of the vote, and an unread answer is a lost vote."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from deliberation.aggregation.json_values import LARGEST_EXPONENT, UnusableValueError, decode_json, spell_json
from deliberation.api.v1alpha1.deliberation import Answer, AnswerType

_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,3}(?:[, _'\u00a0\u202f][0-9]{3})+|[0-9]{1,64})?(?:\.[0-9]{0,64})?(?:[eE][+-]?[0-9]{1,3})?"
)
_SEPARATORS = re.compile(r"[, _'\u00a0\u202f]")
_SHORTEST_WORD = 4
_TRUE = frozenset({"true", "yes"})
_FALSE = frozenset({"false", "no"})


def read_answer(text: str, answer: Answer) -> str | None:
    """Return `text` as an answer of the declared form, in its one spelling, or None when it is no such answer.

    Text keeps its wording, trimmed. A choice takes the declared spelling, a boolean is true or false, and a number is
    in plain digits, at most 28 that count, without its unit. JSON satisfies its schema, and is spelled in one way.
    """
    match answer.type:
        case AnswerType.TEXT:
            return text.strip() or None
        case AnswerType.CHOICE:
            return _read_choice(text, answer.choices or ())
        case AnswerType.NUMBER:
            number = _read_quantity(text, answer.unit)
            return None if number is None else spell_number(number)
        case AnswerType.BOOLEAN:
            return _read_boolean(text)
        case _:
            return _read_json(text, answer)


def fold_text(text: str) -> str:
    """Return the form in which two texts are compared: without differences of case and white space."""
    return " ".join(text.split()).casefold()


def read_number(text: str) -> Decimal | None:
    """Return the number that `text` is, rounded to 28 digits, or None.

    Digits may be grouped by thousands, and may have a decimal point and an exponent.
    """
    digits = text.strip()
    if not _NUMBER.fullmatch(digits):
        return None
    try:
        number = +Decimal(_SEPARATORS.sub("", digits))
    except InvalidOperation:
        return None
    return number if not number or abs(number.adjusted()) < LARGEST_EXPONENT else None


def spell_number(number: Decimal) -> str:
    """Return the number in plain digits without needless zeros."""
    return format(number.normalize(), "f") if number else "0"


def _read_quantity(text: str, unit: str | None) -> Decimal | None:
    """Return the number that `text` is, be it with the declared unit or without one; another unit makes it none."""
    number = read_number(text)
    if number is not None or unit is None:
        return number
    bare = text.strip()
    if not any(map(str.isalpha, unit)) and bare.startswith(unit):
        return read_number(bare.removeprefix(unit))
    digits = next(_NUMBER.finditer(bare)).group()  # nothing is a match, too
    return read_number(digits) if _is_same_unit(bare.removeprefix(digits).strip(), unit) else None


def _is_same_unit(written: str, unit: str) -> bool:
    """Return whether two spellings are one unit: words may differ in case and plural, symbols (ms, MS) in nothing."""
    if len(unit) < _SHORTEST_WORD or not unit.isalpha():
        return written == unit
    return written.casefold().removesuffix("s") == unit.casefold().removesuffix("s")


def _read_json(text: str, answer: Answer) -> str | None:
    try:
        return spell_json(decode_json(text), answer.json_schema or {})
    except UnusableValueError:
        return None


def _read_choice(text: str, choices: tuple[str, ...]) -> str | None:
    trimmed, folded = _index_choices(choices)
    return trimmed.get(text.strip()) or folded.get(fold_text(text))


@lru_cache
def _index_choices(choices: tuple[str, ...]) -> tuple[Mapping[str, str | None], Mapping[str, str | None]]:
    """Return the choices by their trimmed and by their folded spelling; None stands where there are several."""
    trimmed, folded = [choice.strip() for choice in choices], [fold_text(choice) for choice in choices]
    return _index(trimmed, choices), _index(folded, choices)


def _index(spellings: list[str], choices: tuple[str, ...]) -> Mapping[str, str | None]:
    pairs = zip(spellings, choices, strict=True)
    return {spelling: choice if spellings.count(spelling) == 1 else None for spelling, choice in pairs}


def _read_boolean(text: str) -> str | None:
    word = fold_text(text)
    if word in _TRUE:
        return "true"
    return "false" if word in _FALSE else None
