import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.aggregation.json_values import MAX_CHARACTERS, UnusableValueError, decode_json, spell_json

Schema = dict[str, Any]

ANYTHING: Schema = {}
PORT: Schema = {
    "type": "object",
    "properties": {"port": {"type": "integer", "minimum": 1, "maximum": 65535}, "tls": {"type": "boolean"}},
    "required": ["port"],
    "additionalProperties": False,
}


def spell(text: str, schema: Schema = ANYTHING) -> str | None:
    return spell_json(decode_json(text), schema)


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ('{"b": 1, "a": [true, null]}', '{"a":[true,null],"b":1}'),
        ("1.0", "1"),
        ("1e3", "1000"),
        ("-0.0", "0"),
        ("0.10", "0.1"),
        ("123456789012345678901", "123456789012345678901"),
        ('"é\\u0041\\n"', '"éA\\n"'),
        ('"\\u009b\\u2028\\ud800"', '"\\u009b\\u2028\\ud800"'),
        ('"\\ud83d\\ude00"', '"😀"'),
    ],
)
def test_equal_values_have_one_spelling(text: str, spelling: str) -> None:
    assert spell(text) == spelling
    assert spelling.encode()


@pytest.mark.parametrize(
    "text", ["", "{", "{} {}", '{"a":1,"a":2}', "NaN", "Infinity", "1e999999999999999999999", "[" * 100_000, "'a'"]
)
def test_what_is_no_json_or_ambiguous_is_refused(text: str) -> None:
    with pytest.raises(UnusableValueError):
        decode_json(text)


@pytest.mark.parametrize("text", ["1e30", "-1e31", "1e-30", "[1e400]"])
def test_impossible_numbers_are_refused(text: str) -> None:
    assert spell(text) is None


class TestSchema:
    @pytest.mark.parametrize("text", ['{"port": 80}', '{"port": 80.0, "tls": false}'])
    def test_what_satisfies_it_is_an_answer(self, text: str) -> None:
        assert spell(text, PORT) is not None

    @pytest.mark.parametrize(
        "text",
        ["{}", '{"port": 0}', '{"port": true}', '{"port": "80"}', '{"port": 80.5}', '{"port": 80, "x": 1}', "[]"],
    )
    def test_what_does_not_is_none(self, text: str) -> None:
        assert spell(text, PORT) is None


def test_the_longest_answer() -> None:
    assert spell(json.dumps("x" * (MAX_CHARACTERS - 2))) is not None
    assert spell(json.dumps("x" * (MAX_CHARACTERS - 1))) is None


def test_what_would_take_long_to_check_is_no_answer() -> None:
    alternatives = {"items": {"anyOf": [{"type": "null"}] * 200}}
    assert spell(json.dumps([None] * 50), alternatives) is not None
    assert spell(json.dumps([None] * 3000), alternatives) is None


def test_what_is_nested_beyond_reading_is_no_answer() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    assert spell_json(value, ANYTHING) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(-1e9, 1e9, width=32) | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_a_spelling_is_read_back_as_itself(value: Any) -> None:
    spelling = spell(json.dumps(value))
    if spelling is not None:
        assert spell(spelling) == spelling
        assert spelling.encode()


@given(JSON)
def test_only_the_very_small_has_no_spelling(value: Any) -> None:
    assert (spell(json.dumps(value)) is None) == any(0 < abs(number) < 1e-29 for number in numbers_in(value))


def numbers_in(value: Any) -> list[float]:
    match value:
        case bool():
            return []
        case int() | float():
            return [value]
        case dict():
            return [number for part in value.values() for number in numbers_in(part)]
        case list():
            return [number for part in value for number in numbers_in(part)]
        case _:
            return []


@pytest.mark.parametrize(("examples", "is_checked"), [(37, True), (38, False)])
def test_an_answer_that_costs_too_much_to_check_is_none(examples: int, *, is_checked: bool) -> None:
    """5,000 values times 40 parts of the schema are the most."""
    value, schema = [1] * 4_999, {"type": "array", "examples": [0] * examples}
    assert (spell_json(value, schema) is not None) is is_checked
