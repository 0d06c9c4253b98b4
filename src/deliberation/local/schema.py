"""What the API server would refuse, read off the Pydantic models that the CRDs are generated from.

Types, bounds and unknown fields are checked by the models themselves, strictly; list keys and rules by a walk over
their schema. Rules are CEL, which `common-expression-language` evaluates: it is the CEL crate of Rust, with wheels for
every platform, and takes functions of ours, such as those that Kubernetes adds to the language. It is an optional
dependency: without it, rules go unchecked, and the command says so.
"""

import importlib.util
import json
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError

from deliberation.api.v1alpha1.kinds import Kind

Body = dict[str, Any]

HAS_CEL = importlib.util.find_spec("cel") is not None
"""Whether rules can be checked here."""

OLD = "oldSelf"
"""Names what a rule about a change compares with: nothing changes here, so such rules do not apply."""


def find_faults(kind: Kind, body: Body) -> tuple[str, ...]:
    """Return what is wrong with an object, each as `field: message`; nothing when the API server would take it."""
    text = json.dumps(without_nulls(body.get("spec", {})))
    try:
        spec = kind.spec.model_validate_json(text, strict=True)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_context=False, include_url=False)
        return tuple(f"{_spell(('spec', *fault['loc']))}: {fault['msg']}" for fault in faults)
    filled = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    schema = kind.spec.model_json_schema(by_alias=True)
    whole = {"metadata": {"name": body["metadata"]["name"]}, "spec": filled}
    return (
        *_find_broken_rules([rule.to_json() for rule in kind.rules], whole, ()),
        *_find_faults_in(schema, schema.get("$defs", {}), filled, ("spec",)),
    )


def without_nulls(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a value as the API server keeps it: a field that is null is absent."""
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def _find_faults_in(schema: Body, definitions: Body, value: Any, path: tuple[str | int, ...]) -> Iterator[str]:  # noqa: ANN401
    schema = _resolve(schema, definitions)
    yield from _find_broken_rules(schema.get("x-kubernetes-validations", ()), value, path)
    if isinstance(value, list):
        yield from _find_twins(schema, value, path)
        for index, item in enumerate(value):
            yield from _find_faults_in(schema.get("items", {}), definitions, item, (*path, index))
    elif isinstance(value, dict):
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield from _find_faults_in(part, definitions, value[name], (*path, name))


def _resolve(schema: Body, definitions: Body) -> Body:
    """Return the schema with its reference replaced by what it names, and `X or null` by X."""
    rest = {key: value for key, value in schema.items() if key not in {"anyOf", "$ref"}}
    if "anyOf" in schema:
        given = next(branch for branch in schema["anyOf"] if branch != {"type": "null"})
        return {**_resolve(given, definitions), **rest}
    if "$ref" in schema:
        return {**_resolve(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions), **rest}
    return schema


def _find_twins(schema: Body, items: list[Any], path: tuple[str | int, ...]) -> Iterator[str]:
    """Yield the items that a list which is a map or a set has already."""
    keys = schema.get("x-kubernetes-list-map-keys", ())
    if schema.get("x-kubernetes-list-type") not in {"map", "set"}:
        return
    seen = []
    for index, item in enumerate(items):
        key = {name: item.get(name) for name in keys} if keys else item
        if key in seen:
            yield f"{_spell((*path, index))}: Duplicate value: {json.dumps(key, ensure_ascii=False)}"
        seen.append(key)


def _find_broken_rules(rules: Any, value: Any, path: tuple[str | int, ...]) -> Iterator[str]:  # noqa: ANN401
    for rule in rules:
        if HAS_CEL and OLD not in rule["rule"] and not _holds(rule["rule"], value):
            yield f"{_spell(path)}{rule.get('fieldPath', '')}: {rule['message']}".removeprefix(": ")


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "replace": lambda text, old, new: text.replace(old, new),
    "split": lambda text, separator: text.split(separator),
    "sum": sum,
}
"""What rules take from Kubernetes' extensions of CEL; the value that a method is called on comes first."""


def _holds(rule: str, value: Any) -> bool:  # noqa: ANN401 - JSON
    import cel  # noqa: PLC0415 - need not be installed

    context = cel.Context(variables={"self": value})
    for name, function in _FUNCTIONS.items():
        context.add_function(name, function)
    return bool(cel.evaluate(rule, context))


def _spell(path: tuple[str | int, ...]) -> str:
    """Return a path as the API server writes it: spec.members[0].role."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
