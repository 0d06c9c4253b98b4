"""What nodes offer of GPUs, read from their allocatable resources and the labels of GPU feature discovery.

The labels belong to the resource as the device plugin names it before any renaming: `nvidia.com/gpu.memory` (MiB of one
whole device), `.replicas` (slices of one device) and `.sharing-strategy` (`none`, `mps`, `time-slicing`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from deliberation.api.v1alpha1.gpu import Gpu, Sharing

Body = dict[str, Any]

GPU = "nvidia.com/gpu"
SHARED = f"{GPU}.shared"
"""Name of slices where the device plugin is set to rename them."""

DEFAULT_RESOURCES = {
    Sharing.EXCLUSIVE: (GPU,),
    Sharing.TIME_SLICING: (GPU, SHARED),
    Sharing.MPS: (GPU, SHARED),
    Sharing.MIG: (),
}

_MIG = "nvidia.com/mig-"
_RENAMED = ".shared"


@dataclass(frozen=True, order=True)
class Pool:
    """GPUs that are alike: a server runs with the same flags on each, so the scheduler may take any node of it.

    Attributes:
        resource: extended resource that a pod asks for.
        memory_mib: memory of one whole device; 0 where no label tells.
        replicas: slices of one device.
        selector: labels with their values by which a pod finds the pool's nodes.
    """

    resource: str
    sharing: Sharing
    memory_mib: int = 0
    replicas: int = 1
    selector: tuple[tuple[str, str], ...] = ()

    @property
    def is_shared(self) -> bool:
        """Return whether servers on one of its devices get into each other's memory."""
        return self.sharing in {Sharing.TIME_SLICING, Sharing.MPS}

    def answers(self, gpu: Gpu) -> bool:
        """Return whether these are the GPUs that a model asks for, leaving memory and number aside."""
        names = (gpu.resource_name,) if gpu.resource_name else DEFAULT_RESOURCES[gpu.sharing]
        return self.sharing is gpu.sharing and self.resource in names


@dataclass(frozen=True, order=True)
class Offer:
    """Units of one resource on one node, taken or not."""

    node: str
    pool: Pool
    slices: int


def read_offers(nodes: Iterable[Body]) -> tuple[Offer, ...]:
    """Return what the nodes offer, in an order of its own.

    A node that is cordoned or not ready counts: its servers are not to be moved for that, and the scheduler says so of
    new ones.
    """
    return tuple(sorted(offer for node in nodes for offer in _read_node(node)))


def _read_node(node: Body) -> Iterable[Offer]:
    labels: dict[str, str] = node["metadata"].get("labels", {})
    for resource, quantity in node.get("status", {}).get("allocatable", {}).items():
        slices = _number(str(quantity))
        if slices and _is_extended(resource):
            yield Offer(node["metadata"]["name"], _read_pool(resource, labels), slices)


def _read_pool(resource: str, labels: dict[str, str]) -> Pool:
    base = resource.removesuffix(_RENAMED)
    told = (f"{base}.memory", f"{base}.replicas", f"{base}.sharing-strategy")
    return Pool(
        resource=resource,
        sharing=_read_sharing(resource, labels),
        memory_mib=_number(labels.get(f"{base}.memory", "")),
        replicas=max(1, _number(labels.get(f"{base}.replicas", ""))),
        selector=tuple((label, labels[label]) for label in told if label in labels),
    )


def _read_sharing(resource: str, labels: dict[str, str]) -> Sharing:
    base = resource.removesuffix(_RENAMED)
    strategy = labels.get(f"{base}.sharing-strategy", "none")
    if strategy == "mps":
        return Sharing.MPS
    if strategy == "time-slicing" or base != resource or _number(labels.get(f"{base}.replicas", "")) > 1:
        return Sharing.TIME_SLICING
    is_single_mig = labels.get("nvidia.com/mig.strategy") == "single" and "MIG-" in labels.get(f"{GPU}.product", "")
    return Sharing.MIG if base.startswith(_MIG) or is_single_mig else Sharing.EXCLUSIVE


def _is_extended(resource: str) -> bool:
    """Return whether a resource is a device plugin's: those of Kubernetes itself have no domain, or its own."""
    domain, _, name = resource.partition("/")
    return bool(name) and not domain.endswith("kubernetes.io")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
