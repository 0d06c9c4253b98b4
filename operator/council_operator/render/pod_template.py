"""Merges a user's pod template over a rendered one, as Kubernetes merges strategically: lists of named things by name.

The Python client of Kubernetes has no such merge, and `kubectl patch --local` is a program. What a pod's lists are
merged by is in the Kubernetes API reference (patch merge key); lists without a key are replaced.
"""

from collections.abc import Mapping
from typing import Any

from council_operator.render.labels import Body

MAIN_CONTAINER = "vllm"

_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
    "hostAliases": "ip",
}
_WHOLE = frozenset({"volumes"})
"""Lists whose items are replaced as a whole: a volume is of one kind, and two kinds merged are none."""

_ADDED = frozenset({"tolerations"})
"""Lists that are only added to: losing one of ours would keep the pod off its nodes."""

_OURS = ("app.kubernetes.io/", "councils.dev/")
_FIXED = ("command", "args", "ports")


def merge(rendered: Body, template: Mapping[str, Any]) -> Body:
    """Return the rendered pod template with the user's laid over it; null takes a field away."""
    merged: Body = _merge_objects(rendered, template)
    return merged


def find_fault(template: Mapping[str, Any]) -> str | None:
    """Return why a template cannot be merged, or must not be; None when it can."""
    foreign = sorted(set(template) - {"metadata", "spec"})
    if foreign:
        return f"has {foreign[0]}: only metadata and spec can be given"
    metadata, spec = template.get("metadata", {}), template.get("spec", {})
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        return "must hold objects as metadata and spec"
    return _find_fault_of_metadata(metadata) or _find_fault_of_lists(spec, "spec") or _find_fault_of_container(spec)


def _find_fault_of_metadata(metadata: Mapping[str, Any]) -> str | None:
    if set(metadata) - {"labels", "annotations"}:
        return "may set labels and annotations of metadata, and nothing else of it"
    for name in ("labels", "annotations"):
        given = metadata.get(name, {})
        if not isinstance(given, dict):
            return f"must hold an object as metadata.{name}"
        taken = sorted(key for key in given if key.startswith(_OURS))
        if taken:
            return f"sets metadata.{name}[{taken[0]}], by which the operator finds its pods: choose another name"
    return None


def _find_fault_of_lists(part: Mapping[str, Any], path: str) -> str | None:
    """Return where a list that is merged by a key has an item without it."""
    for name, value in part.items():
        key = _KEYS.get(name)
        if key and (value is not None or name == "containers"):
            if not isinstance(value, list) or not all(isinstance(one, dict) and one.get(key) for one in value):
                return f"must hold at {path}.{name} a list whose items all have {key}"
            for item in value:
                fault = _find_fault_of_lists(item, f"{path}.{name}[{item[key]}]")
                if fault:
                    return fault
    return None


def _find_fault_of_container(spec: Mapping[str, Any]) -> str | None:
    for container in spec.get("containers") or ():
        fixed = [field for field in _FIXED if field in container]
        if container["name"] == MAIN_CONTAINER and fixed:
            return f"sets {fixed[0]} of container {MAIN_CONTAINER}, which the operator does: use engineArgs for flags"
    return None


def _merge_objects(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Body:
    merged = dict(ours)
    for name, value in theirs.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = _merge_objects(merged[name], value)
        elif name in _ADDED and isinstance(value, list):
            merged[name] = [*merged.get(name, ()), *value]
        elif name in _KEYS and isinstance(merged.get(name), list):
            merged[name] = _merge_lists(merged[name], value, name)
        else:
            merged[name] = value
    return merged


def _merge_lists(ours: list[Body], theirs: list[Body], name: str) -> list[Body]:
    key = _KEYS[name]
    merged = {item[key]: item for item in ours}
    for item in theirs:
        known = merged.get(item[key])
        merged[item[key]] = item if known is None or name in _WHOLE else _merge_objects(known, item)
    return list(merged.values())
