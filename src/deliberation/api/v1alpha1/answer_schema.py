"""The JSON schemas that an answer may be declared with: a part of JSON Schema that is safe, and known to every server.

Left out is what refers elsewhere ($ref), what can take a parser unbounded time (pattern), and what the grammar engines
of model servers do not know (uniqueItems, format, if and the like).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

MAX_SCHEMA_BYTES = 8192

_HOLDS_SCHEMA = frozenset({"items", "additionalProperties"})
_HOLDS_SCHEMAS = frozenset({"anyOf", "oneOf"})
_LIMITS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems"}
)
_PLAIN = frozenset({"type", "enum", "required", "minProperties", "maxProperties"})
_COMMENTS = frozenset({"title", "description", "default", "examples"})

KEYWORDS = frozenset({"properties"}) | _HOLDS_SCHEMA | _HOLDS_SCHEMAS | _LIMITS | _PLAIN | _COMMENTS
"""Every keyword that a schema may have."""


def find_schema_fault(schema: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the schema and what to do, or None. Never raises on anything that JSON can say."""
    size = len(json.dumps(schema, ensure_ascii=False).encode("utf-8", "replace"))
    if size > MAX_SCHEMA_BYTES:
        return f"schema has {size} bytes, but at most {MAX_SCHEMA_BYTES} are allowed: shorten it"
    for path, part in _walk(schema, "schema"):
        unknown = sorted(part.keys() - KEYWORDS)
        if unknown:
            return f"{path} has the keyword {unknown[0]}: use only {', '.join(sorted(KEYWORDS))}"
    faults = sorted(Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema), key=lambda f: f.path)
    if faults:
        where = ".".join(["schema", *map(str, faults[0].absolute_path)])
        return f"{where} is not what JSON Schema (draft 2020-12) allows there: correct it"
    return None


def _walk(schema: object, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the schema and every schema in it, with their paths; what is no schema is for others to refuse."""
    if not isinstance(schema, Mapping):
        return
    yield path, schema
    properties = schema.get("properties")
    for name, part in properties.items() if isinstance(properties, Mapping) else ():
        yield from _walk(part, f"{path}.properties.{name}")
    for keyword in sorted(_HOLDS_SCHEMA & schema.keys()):
        yield from _walk(schema[keyword], f"{path}.{keyword}")
    for keyword in sorted(_HOLDS_SCHEMAS & schema.keys()):
        alternatives = schema[keyword]
        for number, part in enumerate(alternatives) if isinstance(alternatives, list) else ():
            yield from _walk(part, f"{path}.{keyword}.{number}")
