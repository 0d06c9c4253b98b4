"""What a provider of clusters can do; the commands know no more about it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from clusters.archives import Archive
from clusters.progress import Progress
from clusters.record import Cluster


class Provider(Protocol):
    """One way to run a Kubernetes on this machine."""

    def check(self) -> None:
        """Make sure that this machine can run a cluster, installing what a package manager can.

        Raises:
            Refusal: it can't.
        """

    def build(self, progress: Progress, *, kuberay: bool) -> None:
        """Have every program and image that a cluster needs in the cache.

        Raises:
            Refusal: this machine can't build them.
            StepFailed: a build failed.
        """

    def start(self, cluster: Cluster, progress: Progress) -> None:
        """Start a cluster that is written down, and return when everything in it is ready.

        Raises:
            StepFailed: a step of it failed.
        """

    def remove(self, cluster: Cluster) -> None:
        """Remove all that was made for a cluster but its folder, however far its start has come; safe to repeat.

        Raises:
            StepFailed: something stays.
        """

    def problems(self, cluster: Cluster) -> list[str]:
        """Return what keeps the cluster from being healthy, each as a sentence; none when it is."""

    def load(self, cluster: Cluster, archives: Sequence[Archive], progress: Progress) -> None:
        """Have these images on every node; those that are there already cost nothing.

        Raises:
            Refusal: the cluster has no nodes.
            StepFailed: one can't be imported.
        """

    def inside(self, cluster: Cluster, node: str) -> list[str | Path]:
        """Return the command line that runs what follows it inside a node.

        Raises:
            Refusal: there is no such node.
        """
