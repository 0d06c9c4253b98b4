"""Volumes of a native cluster: a default storage class over a few folders of each node (pure).

No provisioner runs: the volumes are made with the cluster and go with it, so a claim is bound to one of them as soon as
a pod wants it. That is what a chart with a claim needs, and what kind does with a provisioner of its own.
"""

from pathlib import Path
from typing import Any

from clusters.node_files import NodePlan

STORAGE_CLASS = "standard"
VOLUMES_PER_NODE = 4
CAPACITY = "10Gi"
"""What a volume says that it holds. The folder's file system is the only bound."""


def volume_folders(node: NodePlan) -> list[Path]:
    """Return the folders that the volumes of a node lie in."""
    return [node.folder / "storage" / str(number) for number in range(1, VOLUMES_PER_NODE + 1)]


def storage_objects(nodes: list[NodePlan]) -> list[dict[str, Any]]:
    """Return the default storage class, and a local volume for each folder of each node."""
    return [_storage_class(), *(_volume(node, folder) for node in nodes for folder in volume_folders(node))]


def _storage_class() -> dict[str, Any]:
    """Return a class that binds a claim when its pod is scheduled: only then is it known on which node."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _volume(node: NodePlan, folder: Path) -> dict[str, Any]:
    hostname = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node.name]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{node.name}-{folder.name}"},
        "spec": {
            "capacity": {"storage": CAPACITY},
            "accessModes": ["ReadWriteOnce"],
            # Nothing empties the folder of a claim that is gone, and nobody should find another's data in a volume.
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [hostname]}]}},
        },
    }
