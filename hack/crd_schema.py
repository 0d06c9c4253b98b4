"""From Pydantic models to the structural schemas of Kubernetes (pure)."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

DROPPED = ("title", "additionalProperties", "default")
"""Pydantic's words that a structural schema has no room for, or that are given again in their own way."""

ORDER = ("description", "type", "enum", "format", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems")
"""What a reader wants to know first; the rest follows by name, and what lies inside a value comes last."""

INSIDE = ("default", "required", "properties", "items")

FOREIGN = "x-kubernetes-preserve-unknown-fields"
"""Marks an object whose fields are another API's: the API server keeps and does not check them."""

BOUNDS = {"string": ("maxLength", "enum", "format"), "array": ("maxItems",)}
"""What keeps a value of each type finite: without it the API server can't bound the cost of a rule."""


class UnsupportedSchemaError(ValueError):
    """A model asks for what a structural schema can't say, or leaves a value unbounded."""


def build_schema(model: type[BaseModel], *, with_defaults: bool) -> Schema:
    """Return the structural schema of a model: nothing refers elsewhere, and every value is bounded.

    Args:
        model: what the schema describes.
        with_defaults: let the API server fill in absent fields. An object whose fields have defaults is itself
            filled in, so that the defaults hold even where a user leaves the object out.

    Raises:
        UnsupportedSchemaError: the model uses what Kubernetes refuses.
    """
    source = model.model_json_schema(by_alias=True, mode="validation")
    schema = _convert(source, source.get("$defs", {}), model.__name__, with_defaults=with_defaults)
    for path, part in walk(schema, model.__name__):
        _refuse_unbounded(path, part)
    return schema


def walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Yield every part of a schema with its path, the whole first; the items of a list are at `path[]`."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from walk(part, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")


def _convert(source: Schema, definitions: Schema, path: str, *, with_defaults: bool) -> Schema:
    source = _resolve(source, definitions, path)
    if "type" not in source:
        raise UnsupportedSchemaError(f"{path}: needs one type, not {sorted(source)}")
    schema = {key: value for key, value in source.items() if key not in DROPPED and not key.startswith("$")}
    if "properties" in source:
        schema["properties"] = {
            name: _convert(part, definitions, f"{path}.{name}", with_defaults=with_defaults)
            for name, part in source["properties"].items()
        }
    elif source["type"] == "object" and not source.get(FOREIGN):
        raise UnsupportedSchemaError(f"{path}: an object must declare its fields")
    if "items" in source:
        schema["items"] = _convert(source["items"], definitions, f"{path}[]", with_defaults=with_defaults)
    if with_defaults:
        schema |= _default(source, schema)
    return {key: schema[key] for key in sorted(schema, key=_place)}


def _place(key: str) -> tuple[int, int, str]:
    """Return what sorts the keys of a schema as a reader wants them."""
    if key in INSIDE:
        return 2, INSIDE.index(key), key
    return (0, ORDER.index(key), key) if key in ORDER else (1, 0, key)


def _resolve(source: Schema, definitions: Schema, path: str) -> Schema:
    """Return the schema with its reference replaced by what it names, and `X or null` by X: absent means null."""
    if "anyOf" in source:
        branches = [branch for branch in source["anyOf"] if branch != {"type": "null"}]
        if len(branches) != 1:
            raise UnsupportedSchemaError(f"{path}: give one optional object for each alternative, and a rule")
        rest = {key: value for key, value in source.items() if key != "anyOf"}
        return _resolve({**branches[0], **rest}, definitions, path)
    if "$ref" in source:
        rest = {key: value for key, value in source.items() if key != "$ref"}
        named = definitions[source["$ref"].removeprefix("#/$defs/")]
        return _resolve({**named, **rest}, definitions, path)
    return source


def _default(source: Schema, schema: Schema) -> Schema:
    """Return the default that the API server is to fill in, if any.

    Absent and empty lists mean the same to us, so a list has none. An object's own default repeats those of its fields:
    the API server would fill in an empty one, but checks its rules before that.
    """
    value = source.get("default")
    if value is None or schema["type"] == "array":
        return {}
    if schema["type"] == "object":
        if schema.get(FOREIGN):
            return {}
        fields = {name: part["default"] for name, part in schema["properties"].items() if "default" in part}
        return {"default": fields} if fields else {}
    return {"default": value}


def _refuse_unbounded(path: str, part: Schema) -> None:
    bounds = BOUNDS.get(part["type"], ())
    if bounds and not any(bound in part for bound in bounds):
        raise UnsupportedSchemaError(f"{path}: a {part['type']} needs a bound: {' or '.join(bounds)}")
    if part["type"] == "number":
        raise UnsupportedSchemaError(f"{path}: the API has no floats: use thousandths or percent")
