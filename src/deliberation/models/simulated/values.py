"""Values that keep to a part of a JSON schema: which numbers are within its bounds, and a text of its length."""

from typing import Any

from deliberation.models.simulated.truth import NUMBERS

RATIONALE = "Simulated."


def numbers_within(schema: dict[str, Any]) -> tuple[float, ...]:
    """Return the numbers to choose from: those of `NUMBERS` that the bounds allow, or one in their middle."""
    lowest = schema.get("minimum", schema.get("exclusiveMinimum"))
    highest = schema.get("maximum", schema.get("exclusiveMaximum"))
    excluded = {schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")}
    allowed = tuple(
        number
        for number in NUMBERS
        if (lowest is None or number >= lowest) and (highest is None or number <= highest) and number not in excluded
    )
    return allowed or (_between(lowest, highest, is_whole=schema.get("type") == "integer"),)


def text_within(schema: dict[str, Any]) -> str:
    """Return a text that says nothing, as long as the schema wants it to be."""
    text = RATIONALE.ljust(schema.get("minLength", 0), ".")
    return text[: schema.get("maxLength", len(text))]


def _between(lowest: float | None, highest: float | None, *, is_whole: bool) -> float:
    if lowest is None or highest is None:
        middle = (0 if lowest is None else lowest + 1) if highest is None else highest - 1
    else:
        middle = (lowest + highest) / 2
    return int(middle) if is_whole else middle
