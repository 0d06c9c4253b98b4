"""What is told of a lack of GPUs: numbers, node by node, and the configuration that would help."""

from collections.abc import Iterable
from dataclasses import dataclass

from council_operator.plan.gpu.nodes import GPU, SHARED, Offer, Pool
from deliberation.api.v1alpha1.gpu import Gpu, Sharing

NODES_NEEDED = (
    "a slice's size is read from the nodes' labels, and the operator may not read nodes: set gpu.readNodes=true in the "
    "operator's chart, or take a whole GPU with sharing Exclusive"
)

NODES_SHOWN = 4
CONFIG_LABEL = "nvidia.com/device-plugin.config"
CONFIG_NAME = "council-gpu-sharing"
CONFIG_NAMESPACE = "gpu-operator"
"""Where NVIDIA's GPU operator runs its device plugin."""

_STRATEGY = {Sharing.TIME_SLICING: "timeSlicing", Sharing.MPS: "mps"}


@dataclass(frozen=True)
class DeviceConfig:
    """A configuration of NVIDIA's device plugin: the whole ConfigMap, and the key that a node's label must name."""

    key: str
    text: str


def explain_shortage(shortages: list[str]) -> str:
    """Return why a model fits nowhere, and what to do."""
    return (
        f"{'; '.join(shortages)}: divide the GPUs into fewer slices, lower maxModelLen, or take a smaller model "
        "or larger GPUs"
    )


def explain_lack(gpu: Gpu, left: Iterable[tuple[str, int, Offer]], fitting: list[Pool], advice: str) -> str:
    """Return how much was asked for and how much each node has left, and then the advice.

    `left` holds node, units left and offer of everything that nodes offer; `fitting` the pools that would suit.
    """
    names = gpu.resource_name or GPU
    asked = f"asked for {gpu.slices} x {names} with sharing {gpu.sharing}"
    if fitting:
        rows = [f"{node} has {free} of {offer.slices} left" for node, free, offer in left if offer.pool in fitting]
    else:
        rows = [f"{node} has {offer.slices} x {offer.pool.resource} {offer.pool.sharing}" for node, _, offer in left]
    found = ", ".join(rows[:NODES_SHOWN]) + (f" and {len(rows) - NODES_SHOWN} more" if len(rows) > NODES_SHOWN else "")
    return f"{asked}; {found or 'no node offers any GPU'}: {advice}"


def advise(gpu: Gpu, fitting: list[Pool], config: DeviceConfig | None) -> str:
    """Return what to do about a lack of GPUs."""
    if config:
        return (
            "apply the ConfigMap in status.gpuPlan.configMap and label the nodes "
            f"{CONFIG_LABEL}={config.key} (docs/gpu.md), or free units"
        )
    if fitting:
        return "free some, or add a node"
    if gpu.sharing is Sharing.MIG:
        return "partition the GPUs (label nvidia.com/mig.config of the nodes), or correct resourceName"
    return "add a node with what is asked for, or change gpu.sharing and gpu.resourceName to what nodes offer"


def propose_config(gpu: Gpu, demanded: int, offers: Iterable[Offer]) -> DeviceConfig | None:
    """Return the configuration that would give enough slices; None where none would.

    `demanded` is how many slices are declared in all. Every GPU of the nodes that are not divided by other means would
    be divided alike: the device plugin knows no difference between the GPUs of a node.
    """
    if gpu.sharing not in _STRATEGY or gpu.resource_name not in {None, GPU, SHARED}:
        return None
    divisible = [
        offer
        for offer in offers
        if offer.pool.resource in {GPU, SHARED} and offer.pool.sharing in {Sharing.EXCLUSIVE, gpu.sharing}
    ]
    devices = sum(max(1, offer.slices // offer.pool.replicas) for offer in divisible)
    if not devices:
        return None
    replicas = max(2, -(-demanded // devices))
    strategy = _STRATEGY[gpu.sharing]
    key = f"{'mps' if gpu.sharing is Sharing.MPS else 'time-slicing'}-{replicas}"
    return DeviceConfig(key, _render(key, strategy, replicas, renamed=gpu.resource_name == SHARED))


def _render(key: str, strategy: str, replicas: int, *, renamed: bool) -> str:
    """Return the ConfigMap. With one key alone the plugin would divide the GPUs of nodes without the label, too."""
    return f"""\
# For NVIDIA's device plugin: apply it in the plugin's namespace, have the plugin read it (with the GPU operator
# spec.devicePlugin.config.name of ClusterPolicy, with the plugin's chart config.name), then choose nodes for it:
#   kubectl label node NODE {CONFIG_LABEL}={key} --overwrite
apiVersion: v1
kind: ConfigMap
metadata:
  name: {CONFIG_NAME}
  namespace: {CONFIG_NAMESPACE}
data:
  default: |
    version: v1
  {key}: |
    version: v1
    sharing:
      {strategy}:
        renameByDefault: {str(renamed).lower()}
        resources:
          - name: {GPU}
            replicas: {replicas}
"""
