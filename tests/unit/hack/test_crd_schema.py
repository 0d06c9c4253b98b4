from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from crd_schema import UnsupportedSchemaError, build_schema, walk

Short = Annotated[str, Field(max_length=9)]


class Inner(BaseModel):
    """What is inside."""

    size: Annotated[int, Field(ge=1, le=5, description="How big")] = 2
    name: Short | None = None


class Outer(BaseModel):
    """What is outside."""

    inner: Inner = Inner()
    maybe: Annotated[Inner | None, Field(description="Perhaps")] = None
    many: Annotated[tuple[Inner, ...], Field(max_length=3)] = ()
    needed: Short


def unsupported(kind: Any) -> type[BaseModel]:
    return type("Model", (BaseModel,), {"__annotations__": {"field": kind}})


def test_references_are_replaced_by_what_they_name() -> None:
    schema = build_schema(Outer, with_defaults=True)
    assert schema["properties"]["maybe"]["properties"]["size"]["maximum"] == 5
    assert schema["properties"]["many"]["items"]["description"] == "What is inside."


def test_an_object_of_any_fields_must_say_so() -> None:
    anything = Annotated[dict[str, Any], Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})]
    field = build_schema(unsupported(anything), with_defaults=True)["properties"]["field"]
    assert field == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def test_a_field_tells_about_itself_before_its_type_does() -> None:
    assert build_schema(Outer, with_defaults=True)["properties"]["maybe"]["description"] == "Perhaps"


def test_optional_means_absent_never_null() -> None:
    schema = build_schema(Outer, with_defaults=True)
    assert schema["required"] == ["needed"]
    assert schema["properties"]["inner"]["properties"]["name"] == {"type": "string", "maxLength": 9}


def test_an_absent_object_is_filled_with_the_defaults_of_its_fields() -> None:
    properties = build_schema(Outer, with_defaults=True)["properties"]
    assert properties["inner"]["default"] == {"size": 2}
    assert "default" not in properties["maybe"]
    assert "default" not in properties["many"]


def test_a_status_has_no_defaults() -> None:
    assert all("default" not in part for _, part in walk(build_schema(Outer, with_defaults=False), "Outer"))


def test_a_reader_finds_what_matters_first() -> None:
    assert list(build_schema(Outer, with_defaults=True)["properties"]["inner"]) == [
        "description",
        "type",
        "default",
        "properties",
    ]


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (str, "Model.field: a string needs a bound"),
        (list[Short], "Model.field: a array needs a bound"),
        (Annotated[list[str], Field(max_length=1)], r"Model.field\[\]: a string needs a bound"),
        (float, "Model.field: the API has no floats"),
        (dict[str, int], "Model.field: an object must declare its fields"),
        (int | Short, "Model.field: give one optional object for each alternative"),
        (Any, "Model.field: needs one type"),
    ],
)
def test_what_kubernetes_cannot_say_or_bound_is_refused(kind: Any, fault: str) -> None:
    with pytest.raises(UnsupportedSchemaError, match=fault):
        build_schema(unsupported(kind), with_defaults=True)
