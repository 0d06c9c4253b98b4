"""Into the containers of a local cluster from below: SIGKILL from the runtime, and packets dropped in a pod's network.

From inside, a container cannot kill its own process 1, and `kubectl delete --force` sends SIGTERM first. A machine
that runs out of memory sends SIGKILL from outside.
"""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clusters import folders, record
from clusters.lifecycle import Clusters
from clusters.progress import Progress
from clusters.record import Cluster
from demonstration.kubectl import Body

COMMAND_SECONDS = 60
_CONTAINERS = ("ctr", "--namespace", "k8s.io", "containers")
_TASKS = ("ctr", "--namespace", "k8s.io", "tasks")
_SANDBOX = "io.kubernetes.cri.sandbox-id"
_SCHEME = "containerd://"


class NoContainerError(Exception):
    """A pod has no running container, or its cluster is none of `hack/cluster`."""


@dataclass(frozen=True)
class Containers:
    """The containers of one cluster that `hack/cluster up` made."""

    cluster: Cluster
    clusters: Clusters

    @classmethod
    def of(cls, name: str) -> "Containers":
        """Return those of the cluster with this name.

        Raises:
            Refusal: there is no such cluster.
        """
        places = folders.from_environment()
        return cls(record.load(places.cluster(name)), Clusters(places, Progress()))

    @property
    def kubeconfig(self) -> Path:
        """The way to the cluster's API server."""
        return self.cluster.kubeconfig

    def kill(self, pod: Body) -> None:
        """Send SIGKILL to the first container of a pod; the kubelet starts it again.

        Raises:
            NoContainerError: it does not run.
        """
        self._on_node_of(pod, *_TASKS, "kill", "--signal", "SIGKILL", container_of(pod))

    @contextmanager
    def cut(self, pod: Body, addresses: Sequence[str]) -> Iterator[None]:
        """Drop every packet between a pod and some addresses while the block runs.

        Raises:
            NoContainerError: the pod does not run.
        """
        enter = ("nsenter", f"--target={self._process_of(pod)}", "--net", "iptables", "--wait")
        rules = [rule for address in addresses for rule in (("INPUT", "-s", address), ("OUTPUT", "-d", address))]
        for rule in rules:
            self._on_node_of(pod, *enter, "-I", *rule, "-j", "DROP")
        try:
            yield
        finally:
            for rule in rules:
                self._on_node_of(pod, *enter, "-D", *rule, "-j", "DROP")

    def _process_of(self, pod: Body) -> int:
        """Return the process that holds the pod's network: it lives on when a container ends and is started again."""
        told = self._on_node_of(pod, *_CONTAINERS, "info", container_of(pod))
        sandbox = json.loads(told)["Spec"]["annotations"][_SANDBOX]
        for line in self._on_node_of(pod, *_TASKS, "list").splitlines():
            name, process, *_ = line.split()
            if name == sandbox:
                return int(process)
        raise NoContainerError(f"pod {pod['metadata']['name']} has no running sandbox")

    def _on_node_of(self, pod: Body, *command: str) -> str:
        provider = self.clusters.provider(self.cluster.provider)
        inside = provider.inside(self.cluster, pod["spec"]["nodeName"])
        done = subprocess.run([*inside, *command], capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
        if done.returncode:
            raise NoContainerError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout


def container_of(pod: Body) -> str:
    """Return containerd's name of a pod's first container.

    Raises:
        NoContainerError: it has none yet.
    """
    first = pod["spec"]["containers"][0]["name"]
    for status in pod.get("status", {}).get("containerStatuses", ()):
        if status["name"] == first and "running" in status["state"]:
            return str(status["containerID"]).removeprefix(_SCHEME)
    raise NoContainerError(f"pod {pod['metadata']['name']} has no running container")
