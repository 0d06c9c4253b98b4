import jsonschema
import pytest

from deliberation.models.simulated.truth import NUMBERS
from deliberation.models.simulated.values import numbers_within, text_within


@pytest.mark.parametrize("kind", ["number", "integer"])
@pytest.mark.parametrize(
    "bounds",
    [
        {},
        {"minimum": 1, "maximum": 3},
        {"exclusiveMinimum": 1, "exclusiveMaximum": 3},
        {"minimum": 1000},
        {"exclusiveMinimum": 1000},
        {"maximum": -5},
        {"exclusiveMaximum": 0},
        {"minimum": 1000, "maximum": 1002},
    ],
    ids=str,
)
def test_every_number_is_within_the_bounds(kind: str, bounds: dict[str, int]) -> None:
    numbers = numbers_within({"type": kind, **bounds})
    assert numbers
    for number in numbers:
        jsonschema.validate(number, {"type": kind, **bounds})


def test_without_bounds_all_numbers_are_there() -> None:
    assert numbers_within({"type": "number"}) == NUMBERS


def test_a_fraction_may_be_all_that_fits() -> None:
    assert numbers_within({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}) == (0.5,)


@pytest.mark.parametrize(
    "bounds", [{}, {"minLength": 40}, {"maxLength": 3}, {"minLength": 12, "maxLength": 12}], ids=str
)
def test_a_text_has_the_length_that_is_asked_for(bounds: dict[str, int]) -> None:
    jsonschema.validate(text_within(bounds), {"type": "string", **bounds})
