"""Kubernetes in containers, by kind. Kept thin: kind does the work.

The command lines are tested; they have not been run against a container engine by the authors.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from clusters import cluster_images, commands, kuberay, programs
from clusters.archives import Archive
from clusters.errors import Refusal
from clusters.folders import Folders
from clusters.kubernetes_api import Kubectl
from clusters.progress import Progress
from clusters.record import Cluster

ENGINES = ("docker", "podman")


def engine() -> str | None:
    """Return the container engine that answers; a client without an engine does not."""
    for name in ENGINES:
        if shutil.which(name) is not None:
            asked = subprocess.run([name, "info"], capture_output=True, timeout=30, check=False)
            if asked.returncode == 0:
                return name
    return None


def name_of(cluster: Cluster) -> str:
    """Return the name that kind knows a cluster by (pure)."""
    return f"council-{cluster.name}"


def config(cluster: Cluster, models: Path) -> dict[str, Any]:
    """Return kind's configuration: the nodes, each with the folder of models at the path that it has here (pure)."""
    mounts = [{"hostPath": str(models), "containerPath": str(models)}]
    roles = ["control-plane", *["worker"] * (cluster.nodes - 1)]
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": role, "extraMounts": mounts} for role in roles],
    }


def create_line(cluster: Cluster, config_file: Path) -> list[str]:
    """Return the arguments with which kind makes a cluster (pure)."""
    return [
        "create",
        "cluster",
        "--name",
        name_of(cluster),
        "--config",
        str(config_file),
        "--kubeconfig",
        str(cluster.kubeconfig),
        "--wait",
        "180s",
    ]


def delete_line(cluster: Cluster) -> list[str]:
    """Return the arguments with which kind deletes a cluster (pure)."""
    return ["delete", "cluster", "--name", name_of(cluster), "--kubeconfig", str(cluster.kubeconfig)]


def load_line(cluster: Cluster, archive: Path) -> list[str]:
    """Return the arguments with which kind loads an image archive into every node (pure)."""
    return ["load", "image-archive", str(archive), "--name", name_of(cluster)]


def node_container(cluster: Cluster, node: str) -> str:
    """Return the name of the container that is node `n1`, `n2` and so on (pure).

    Raises:
        Refusal: the cluster has no such node.
    """
    first = f"{name_of(cluster)}-control-plane"
    workers = [f"{name_of(cluster)}-worker{number if number > 1 else ''}" for number in range(1, cluster.nodes)]
    containers = {f"n{number}": container for number, container in enumerate([first, *workers], start=1)}
    if node not in containers:
        raise Refusal(f"Cluster '{cluster.name}' has no node '{node}'.", f"Its nodes: {', '.join(containers)}")
    return containers[node]


class Kind:
    """The provider `kind`.

    Args:
        folders: cache and state of this user.
    """

    def __init__(self, folders: Folders) -> None:
        self.folders = folders

    def check(self) -> None:
        """Make sure that a container engine answers."""
        self._engine()

    def build(self, progress: Progress, *, kuberay: bool) -> None:
        """Build kind, and KubeRay with its image; the rest comes with kind's node image."""
        programs.provide(programs.KIND, self.folders.cache, progress)
        if kuberay:
            cluster_images.provide([programs.KUBERAY], self.folders.cache, progress)

    def start(self, cluster: Cluster, progress: Progress) -> None:
        """Let kind make the cluster, then install KubeRay."""
        self.folders.models.mkdir(parents=True, exist_ok=True)
        config_file = cluster.folder / "kind.yaml"
        config_file.write_text(yaml.safe_dump(config(cluster, self.folders.models)))
        with progress.step("kind makes the cluster"):
            self._kind(create_line(cluster, config_file), progress)
        if cluster.kuberay:
            with progress.step("installing KubeRay"):
                self.load(cluster, cluster_images.provide([programs.KUBERAY], self.folders.cache, progress), progress)
                kubectl = Kubectl(cluster.kubeconfig)
                kuberay.install(
                    kubectl,
                    programs.provide(programs.KUBERAY, self.folders.cache, progress),
                    cluster.folder / "kuberay",
                )
                kuberay.wait(kubectl)

    def remove(self, cluster: Cluster) -> None:
        """Let kind delete the cluster."""
        self._kind(delete_line(cluster), Progress())

    def problems(self, cluster: Cluster) -> list[str]:
        """Ask the API server."""
        return Kubectl(cluster.kubeconfig).problems(cluster.nodes)

    def load(self, cluster: Cluster, archives: Sequence[Archive], progress: Progress) -> None:
        """Let kind load each archive; it skips what the nodes have."""
        for archive in archives:
            with progress.step(f"loading {', '.join(archive.names)}"):
                self._kind(load_line(cluster, archive.path), progress)

    def inside(self, cluster: Cluster, node: str) -> list[str | Path]:
        """Run in the container that is the node."""
        return [self._engine(), "exec", "--interactive", node_container(cluster, node)]

    def _kind(self, arguments: list[str], progress: Progress) -> None:
        kind = programs.provide(programs.KIND, self.folders.cache, progress) / "kind"
        environment = {"KIND_EXPERIMENTAL_PROVIDER": "podman"} if self._engine() == "podman" else {}
        commands.run(
            [kind, *arguments], step=f"kind {arguments[0]} {arguments[1]}", environment=environment, seconds=900
        )

    def _engine(self) -> str:
        found = engine()
        if found is None:
            raise Refusal(
                "No container engine answers: neither 'docker info' nor 'podman info' succeeds.",
                "Start one, or use --provider native.",
            )
        return found
