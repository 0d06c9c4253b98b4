"""Dividing the GPUs of nodes that the administrator selected: what is to be written, and what is told of it.

The device plugin goes by a node's label, which names a key of its ConfigMap. Both are written by server-side apply
without force under a field manager of their own: what others own is never touched, and giving our fields up restores
what was there. An annotation beside the label says that it is ours.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from council_operator.plan.gpu.nodes import GPU, SHARED, read_offers
from council_operator.plan.gpu.words import CONFIG_LABEL
from council_operator.plan.settings import GpuDivision
from deliberation.api.v1alpha1.gpu import Sharing

Body = dict[str, Any]

FIELD_MANAGER = "council-operator-gpu-sharing"
OURS = "councils.dev/gpu-sharing"
"""Annotation of a node: the configuration that we chose for it."""

_KEY = "council-time-slicing-"
_NODES_SHOWN = 4


@dataclass(frozen=True)
class NodeChange:
    """What to apply to one node, and the Event that tells of it."""

    node: Body
    body: Body
    reason: str
    message: str


@dataclass(frozen=True)
class DivisionPlan:
    """What to do next.

    Attributes:
        config: the device plugin's ConfigMap with our keys alone, to be applied before the nodes change; None if that
            is not needed.
        missing: why nothing can be done, or empty.
    """

    config: Body | None = None
    changes: tuple[NodeChange, ...] = ()
    missing: str = ""


def plan_division(division: GpuDivision, nodes: Iterable[Body], config_map: Body | None) -> DivisionPlan:
    """Return what brings ConfigMap and nodes to what the administrator wants; nothing once they are there.

    A key stays as long as a node is labelled with it: a plugin that is started anew must find it.
    """
    listed = sorted(nodes, key=_name)
    selected = [node for node in listed if _is_selected(node, division)]
    wanted = {key_of(division.slices)} if selected else set()
    in_use = {key for node in listed if (key := _our_key(node))}
    if config_map is None:
        return DivisionPlan(missing=_tell_missing(division)) if selected else _release_all(listed)
    keys = {key: text for key in sorted(wanted | in_use) if (text := _config_of(key))}
    has = {key: text for key, text in (config_map.get("data") or {}).items() if key.startswith(_KEY)}
    changes = (_change(node, division) for node in listed)
    return DivisionPlan(
        config=_sketch(config_map, {"data": keys}) if keys != has else None,
        changes=tuple(change for change in changes if change),
    )


def explain_division(division: GpuDivision, nodes: Sequence[Body]) -> str:
    """Return what we do about slices, node by node, for those whose model waits for one."""
    where = ", ".join(f"{label}={value}" for label, value in division.selector) or "no labels, which is none,"
    told = [f"{_name(node)} {_tell(node, division)}" for node in nodes if _is_selected(node, division)]
    shown = ", ".join(told[:_NODES_SHOWN]) + (f" and {len(told) - _NODES_SHOWN} more" if told[_NODES_SHOWN:] else "")
    return (
        f"the operator divides the GPUs of nodes with {where} into {division.slices} slices each: "
        f"{shown or 'no node is selected (gpuSharing.nodeSelector)'}"
    )


def key_of(slices: int) -> str:
    """Return the ConfigMap's key for so many slices. Its name tells its content: a plugin never reads a stale one."""
    return f"{_KEY}{slices}"


def _config_of(key: str) -> str | None:
    slices = key.removeprefix(_KEY)
    if not slices.isdecimal():
        return None
    return f"version: v1\nsharing:\n  timeSlicing:\n    resources:\n      - name: {GPU}\n        replicas: {slices}\n"


def _change(node: Body, division: GpuDivision) -> NodeChange | None:
    """Return what a node needs: our label, if nobody else chose; none of ours, if it is not or no longer ours."""
    label, mark, key = _label(node), _annotations(node).get(OURS), key_of(division.slices)
    is_free = label is None or label == mark
    if _is_selected(node, division) and is_free:
        if label == key:
            return None
        body = _sketch(node, {"metadata": {"labels": {CONFIG_LABEL: key}, "annotations": {OURS: key}}})
        message = f"its GPUs are to be divided into {division.slices} slices each: label {CONFIG_LABEL}={key}"
        return NodeChange(node, body, "GPUsDivided", message)
    if mark is None:
        return None
    told = "it has its own configuration again" if label == mark else f"somebody chose configuration {label!r} for it"
    return NodeChange(node, _sketch(node, {}), "GPUsReleased", f"its GPUs are divided by us no longer: {told}")


def _release_all(nodes: Sequence[Body]) -> DivisionPlan:
    nobody = GpuDivision(selector=(), slices=1, config_map="", namespace="")
    return DivisionPlan(changes=tuple(change for node in nodes if (change := _change(node, nobody))))


def _tell(node: Body, division: GpuDivision) -> str:
    label, key = _label(node), key_of(division.slices)
    if label is None:
        return f"is about to be labelled, if ConfigMap {division.namespace}/{division.config_map} is there"
    if label not in (key, _our_key(node)):
        return f"keeps configuration {label!r} that somebody chose"
    has = any(
        offer.pool.resource in {GPU, SHARED}
        and (offer.pool.sharing, offer.pool.replicas) == (Sharing.TIME_SLICING, division.slices)
        for offer in read_offers([node])
    )
    return "has them" if has else "waits for its device plugin"


def _tell_missing(division: GpuDivision) -> str:
    return (
        f"GPUs are not divided: there is no ConfigMap {division.config_map} in namespace {division.namespace}; create "
        "it with the key `default`, and have NVIDIA's device plugin read it (docs/gpu.md)"
    )


def _sketch(known: Body, fields: Body) -> Body:
    """Return an object for server-side apply that holds nothing but `fields`; its uid keeps it from being created."""
    metadata = {name: known["metadata"][name] for name in ("name", "namespace", "uid") if name in known["metadata"]}
    head = {"apiVersion": "v1", "kind": "Node" if "namespace" not in metadata else "ConfigMap"}
    return {**head, **fields, "metadata": {**metadata, **fields.get("metadata", {})}}


def _is_selected(node: Body, division: GpuDivision) -> bool:
    labels = node["metadata"].get("labels", {})
    return bool(division.selector) and all(labels.get(label) == value for label, value in division.selector)


def _our_key(node: Body) -> str | None:
    mark = _annotations(node).get(OURS)
    return mark if mark is not None and mark == _label(node) else None


def _label(node: Body) -> str | None:
    label: str | None = node["metadata"].get("labels", {}).get(CONFIG_LABEL)
    return label


def _annotations(node: Body) -> dict[str, str]:
    return node["metadata"].get("annotations") or {}


def _name(node: Body) -> str:
    return str(node["metadata"]["name"])
