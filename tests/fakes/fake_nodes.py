"""Fake GPU nodes: the labels of GPU feature discovery and allocatable resources, with no GPU anywhere behind them."""

from typing import Any

Body = dict[str, Any]

MARK = "councils.dev/fake-gpu"
"""Label and annotation of every node that only pretends."""


def fake_gpu_node(
    name: str = "fake-gpu-a",
    *,
    gpus: int = 1,
    memory_mib: int = 24_576,
    replicas: int = 1,
    strategy: str = "",
    resource: str = "nvidia.com/gpu",
) -> Body:
    """Return a node whose device plugin divides each of its GPUs into `replicas` slices."""
    base = resource.removesuffix(".shared")
    sharing = strategy or ("time-slicing" if replicas > 1 else "none")
    labels = {
        MARK: "true",
        f"{base}.product": "Fake-GPU-of-a-test" + ("-SHARED" if replicas > 1 and resource == base else ""),
        f"{base}.memory": str(memory_mib),
        f"{base}.count": str(gpus),
        f"{base}.replicas": str(replicas),
        f"{base}.sharing-strategy": sharing,
    }
    allocatable = {"cpu": "16", "memory": "64Gi", resource: str(gpus * replicas)}
    annotations = {MARK: "There is no GPU in this node: a test pretends."}
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": {"allocatable": allocatable}}
