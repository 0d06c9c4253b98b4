from decimal import Decimal

import pytest

from deliberation.engine.json_objects import find_objects


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("no object", ()),
        ("{}", ({},)),
        ('{"a": 1}', ({"a": Decimal(1)},)),
        ('so: {"a": 1}{"b": 2} and {"c": 3}.', ({"a": Decimal(1)}, {"b": Decimal(2)}, {"c": Decimal(3)})),
        ('{"a": {"b": 2}}', ({"a": {"b": Decimal(2)}},)),
        ('{broken {"b": 2}', ({"b": Decimal(2)},)),
        ('{{"b": 2}}', ({"b": Decimal(2)},)),
        ('{"a": 1, "a": 2}', ()),
        ('{"a": NaN} {"b": 2}', ({"b": Decimal(2)},)),
    ],
)
def test_whole_objects_are_found_wherever_they_stand(text: str, found: tuple[object, ...]) -> None:
    assert find_objects(text) == found


def test_hostile_text_is_given_up_after_64_braces() -> None:
    assert find_objects("{" * 63 + '{"a": 1}') == ({"a": Decimal(1)},)
    assert find_objects("{" * 64 + '{"a": 1}') == ()
