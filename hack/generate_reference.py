"""Write the reference page of the API from its models; `hack/generate` runs this."""

import sys
from collections.abc import Iterator

from crd_schema import Schema, walk
from deliberation.api.v1alpha1.base import API_VERSION
from deliberation.api.v1alpha1.kinds import KINDS, Kind
from generate_crds import CATEGORY, build_definition
from generated import COMMAND, main

PAGE = "docs/reference/api.md"
INTRODUCTION = f"""\
<!-- Made by {COMMAND} from src/deliberation/api. Change the models, not this page. -->
# The API: `{API_VERSION}`

Both kinds live in a namespace; a Deliberation asks a Council of its own namespace. The API server checks everything on
this page when an object is applied, and fills in the defaults. What depends on other objects (a Council that is not
there yet, a missing Secret) is never refused: it is a condition in the status, and it heals by itself.
`kubectl get {CATEGORY}` shows both kinds together.
"""

RANGES = (("minimum", "maximum", ""), ("minLength", "maxLength", " characters"), ("minItems", "maxItems", " items"))
"""The bounds of a value: the least, the most, and of what."""


def build_page() -> str:
    """Return the whole page."""
    return "\n".join([INTRODUCTION, *(_section(kind) for kind in KINDS)])


def _section(kind: Kind) -> str:
    schema: Schema = build_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    spec, status = schema["properties"]["spec"], schema["properties"]["status"]
    return "\n".join(
        [
            f"## {kind.name}\n",
            f"{kind.description} `kubectl get {kind.singular}`, or `{kind.short_name}` for short.\n",
            "### spec\n",
            _table(("Field", "Type", "Default", "Bounds", "Meaning"), _spec_rows(spec)),
            "### Rules\n",
            *(f"- `{path}`: {message}" for path, message in _rules(schema)),
            "\n### status\n",
            _table(("Field", "Type", "Meaning"), _status_rows(status)),
            "### Columns\n",
            _table(("Column", "Field", "Meaning"), _column_rows(kind)),
        ]
    )


def _spec_rows(spec: Schema) -> Iterator[tuple[str, ...]]:
    for path, part, required in _fields(spec):
        default = "required" if required else _default(part)
        yield f"`{path}`", _type(part), default, _bounds(part), part.get("description", "")


def _status_rows(status: Schema) -> Iterator[tuple[str, ...]]:
    for path, part, _ in _fields(status):
        yield f"`{path}`", _type(part), part.get("description", "")


def _column_rows(kind: Kind) -> Iterator[tuple[str, ...]]:
    for column in kind.columns:
        name = f"{column.name} (`-o wide`)" if column.wide else column.name
        yield name, f"`{column.path.removeprefix('.')}`", column.description


def _fields(schema: Schema, prefix: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """Yield each field below an object with its path and whether its object needs it."""
    for name, part in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, part, name in schema.get("required", ())
        inside, mark = (part["items"], "[].") if "items" in part else (part, ".")
        yield from _fields(inside, path + mark)


def _rules(schema: Schema) -> Iterator[tuple[str, str]]:
    for path, part in walk(schema, ""):
        for rule in part.get("x-kubernetes-validations", ()):
            yield f"{path}{rule.get('fieldPath', '')}".removeprefix(".") or "metadata.name", rule["message"]


def _type(part: Schema) -> str:
    if "enum" in part:
        return " or ".join(f"`{value}`" for value in part["enum"])
    if part["type"] == "array":
        inside = part["items"]
        return f"list of {inside['type']}s" + (f" by `{key}`" if (key := _merge_key(part)) else "")
    return f"{part['type']}, a point in time" if part.get("format") == "date-time" else part["type"]


def _merge_key(part: Schema) -> str:
    return ", ".join(part.get("x-kubernetes-list-map-keys", ()))


def _default(part: Schema) -> str:
    if "default" not in part or part["type"] == "object":
        return ""
    return f"`{_plain(part['default'])}`"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bounds(part: Schema) -> str:
    inside = part.get("items", {})
    each = _own_bounds(inside) if inside.get("type") == "string" else []
    return ", ".join(_own_bounds(part)) + (f"; each {', '.join(each)}" if each else "")


def _own_bounds(part: Schema) -> list[str]:
    bounds = [
        _range(part.get(least), part.get(most), unit) for least, most, unit in RANGES if {least, most} & set(part)
    ]
    return [*bounds, f"matches `{part['pattern']}`"] if "pattern" in part else bounds


def _range(least: int | None, most: int | None, unit: str) -> str:
    if least is None:
        return f"at most {most}{unit}"
    return f"at least {least}{unit}" if most is None else f"{least} to {most}{unit}"


def _table(heading: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.exit(main({PAGE: build_page()}))
