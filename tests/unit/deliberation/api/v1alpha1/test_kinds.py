from typing import Any

import pytest

from deliberation.api.v1alpha1.kinds import KINDS, Column, Kind


def find_field(kind: Kind, path: str) -> dict[str, Any] | None:
    """Return the schema of the field that a column shows, or None."""
    top, *rest = path.removeprefix(".").split(".")
    model = {"spec": kind.spec, "status": kind.status}[top]
    schema = model.model_json_schema(by_alias=True)
    at: dict[str, Any] = schema
    for name in rest:
        at = at.get("properties", {}).get(name.split("[")[0], {})
        for part in (at, *at.get("anyOf", [])):
            if "$ref" in part:
                at = schema["$defs"][part["$ref"].removeprefix("#/$defs/")]
        if "items" in at:
            at = schema["$defs"][at["items"]["$ref"].removeprefix("#/$defs/")]
    return at or None


COLUMNS = [(kind, column) for kind in KINDS for column in kind.columns if not column.path.startswith(".metadata")]


@pytest.mark.parametrize(("kind", "column"), COLUMNS, ids=lambda each: each.name)
def test_every_column_shows_a_field_that_there_is(kind: Kind, column: Column) -> None:
    path = column.path.replace('[?(@.type=="Ready")]', "").replace('[?(@.type=="Succeeded")]', "")
    assert find_field(kind, path) is not None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_to_select_by_is_there(kind: Kind) -> None:
    assert all(find_field(kind, path) for path in kind.selectable)


def test_a_field_that_is_not_there_would_be_noticed() -> None:
    assert find_field(KINDS[0], ".status.queue.waiting") is None


def test_kinds_are_told_apart_by_every_name() -> None:
    names = [name for kind in KINDS for name in (kind.singular, kind.plural, kind.short_name)]
    assert len(set(names)) == len(names)
