from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.api.v1alpha1.answer_schema import KEYWORDS, MAX_SCHEMA_BYTES, find_schema_fault

FULL = {
    "title": "A plan",
    "type": "object",
    "properties": {
        "pattern": {"type": "string", "minLength": 1, "maxLength": 9, "enum": ["a", None]},
        "steps": {"type": "array", "minItems": 1, "maxItems": 5, "items": {"type": ["string", "null"]}},
        "cost": {"anyOf": [{"type": "number", "minimum": 0, "exclusiveMaximum": 9}, {"type": "null"}]},
        "kind": {"oneOf": [{"type": "integer", "exclusiveMinimum": 0, "maximum": 3}]},
        "more": {"additionalProperties": {"type": "boolean"}, "minProperties": 1, "maxProperties": 2},
    },
    "required": ["steps"],
    "additionalProperties": False,
    "description": "What to do",
    "default": {},
    "examples": [1],
}


def test_every_keyword_that_is_known_may_be_used() -> None:
    assert find_schema_fault(FULL) is None
    used = set(FULL) | {key for part in FULL["properties"].values() for key in part}  # type: ignore[attr-defined]
    inner = {"items", "minimum", "exclusiveMaximum", "exclusiveMinimum", "maximum"}
    assert used | inner == KEYWORDS
    assert find_schema_fault({}) is None


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"$ref": "http://elsewhere/"}, "schema has the keyword $ref: use only additionalProperties, anyOf"),
        ({"properties": {"a": {"pattern": "(a+)+$"}}}, "schema.properties.a has the keyword pattern: use only"),
        ({"items": {"format": "date"}}, "schema.items has the keyword format"),
        ({"additionalProperties": {"not": {}}}, "schema.additionalProperties has the keyword not"),
        ({"anyOf": [{}, {"oneOf": [{"if": {}}]}]}, "schema.anyOf.1.oneOf.0 has the keyword if"),
        ({"properties": {"a": {"type": "strnig"}}}, "schema.properties.a.type is not what JSON Schema"),
        ({"minLength": -1}, "schema.minLength is not what JSON Schema"),
        ({"properties": []}, "schema.properties is not what JSON Schema"),
        ({"anyOf": {}}, "schema.anyOf is not what JSON Schema"),
        ({"items": 1}, "schema.items is not what JSON Schema"),
    ],
)
def test_a_fault_is_told_with_its_place(schema: dict[str, Any], fault: str) -> None:
    assert (find_schema_fault(schema) or "").startswith(fault)


def test_a_schema_has_a_size() -> None:
    largest = {"title": "x" * (MAX_SCHEMA_BYTES - 13)}
    assert find_schema_fault(largest) is None
    fault = find_schema_fault({"title": largest["title"] + "x"})
    assert fault == "schema has 8193 bytes, but at most 8192 are allowed: shorten it"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(sorted(KEYWORDS)),
        lambda inside: (
            st.lists(inside, max_size=3)
            | st.dictionaries(st.sampled_from([*sorted(KEYWORDS), "pattern", "a"]), inside, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_nothing_that_a_user_writes_is_too_much(part: Any) -> None:
    fault = find_schema_fault({"properties": part})
    assert fault is None or fault.startswith("schema")
