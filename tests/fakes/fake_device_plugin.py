"""A fake of what NVIDIA runs on GPU nodes: device plugin, its config manager, GPU feature discovery. No GPU is there.

Real are the node, its kubelet and the scheduler. Rules of the config manager that it keeps, from its source: a node's
label names a key of the ConfigMap; without the label it takes the key `default`, else the only key; a key that is not
there is an error, tried again; a changed key is read when the label changes, or after a restart.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import yaml

from demonstration.kubectl import Kubectl, KubectlError
from fakes.fake_nodes import MARK, fake_gpu_node

CONFIG_LABEL = "nvidia.com/device-plugin.config"
GPU, SHARED = "nvidia.com/gpu", "nvidia.com/gpu.shared"
NAMESPACE, CONFIG_MAP = "gpu-operator", "council-gpu-sharing"
LOOK_SECONDS = 0.5

Body = dict[str, Any]


class NoConfigError(Exception):
    """The config manager finds no configuration; the real one ends with an error and is started again."""


@dataclass(frozen=True)
class Division:
    """How a node's GPUs are divided."""

    replicas: int = 1
    renamed: bool = False


def choose_key(label: str | None, keys: Sequence[str]) -> str:
    """Return the key that a node with this label goes by.

    Raises:
        NoConfigError: there is none.
    """
    if label in keys:
        return str(label)
    if label is None and "default" in keys:
        return "default"
    if label is None and len(keys) == 1:
        return keys[0]
    raise NoConfigError(f"label {label!r} finds no configuration among {sorted(keys)}")


def read_division(text: str) -> Division:
    """Return how a configuration of the device plugin divides every GPU of a node by time."""
    config = yaml.safe_load(text)
    slicing = (config.get("sharing") or {}).get("timeSlicing") or {}
    for one in slicing.get("resources", ()):
        if one["name"] == GPU:
            return Division(int(one["replicas"]), bool(slicing.get("renameByDefault")))
    return Division()


class FakeDevicePlugin:
    """Makes nodes look as if each had a GPU, divided as the ConfigMap and the node's label say, until it is left."""

    def __init__(self, cluster: Kubectl, nodes: Sequence[str], memory_mib: int = 24_576) -> None:
        self.nodes = tuple(nodes)
        self._cluster = cluster.within(NAMESPACE)
        self._memory_mib = memory_mib
        self._lost: set[str] = set()
        self._read: dict[str, tuple[str | None, Division]] = {}
        self._shown: dict[str, tuple[Division, bool]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake device plugin", daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        for node in self.nodes:
            self._leave(node)

    def label(self, node: str, key: str | None) -> None:
        """Choose a configuration for a node, as an administrator does; None takes the choice back."""
        self._cluster.run("label", "node", node, "--overwrite", f"{CONFIG_LABEL}={key}" if key else f"{CONFIG_LABEL}-")

    def lose_gpu(self, node: str) -> None:
        """Have a node's GPU fall off the bus: nothing is left to offer, and nothing to label."""
        self._lost.add(node)

    def return_gpu(self, node: str) -> None:
        """Have it come back."""
        self._lost.discard(node)

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            try:
                self._look()
            except KubectlError as error:
                print(f"fake device plugin: {error}; trying again")  # noqa: T201 - shown with a test that fails

    def _look(self) -> None:
        config = (self._cluster.find("configmaps", CONFIG_MAP) or {}).get("data") or {}
        for body in self._cluster.find_all("nodes"):
            node = body["metadata"]["name"]
            if node in self.nodes:
                label = body["metadata"].get("labels", {}).get(CONFIG_LABEL)
                self._follow_label(node, label, config)
                division = self._read.get(node, (None, Division()))[1]
                if self._shown.get(node) != (division, node in self._lost):
                    self._show(node, division, is_lost=node in self._lost)

    def _follow_label(self, node: str, label: str | None, config: Mapping[str, str]) -> None:
        if node in self._read and self._read[node][0] == label:
            return
        try:
            self._read[node] = (label, read_division(config[choose_key(label, tuple(config))]))
        except NoConfigError as error:
            print(f"fake device plugin of {node}: {error}; trying again")  # noqa: T201 - shown with a test that fails

    def _show(self, node: str, division: Division, *, is_lost: bool) -> None:
        resource = SHARED if division.renamed else GPU
        body = fake_gpu_node(node, memory_mib=self._memory_mib, replicas=division.replicas, resource=resource)
        wanted: dict[str, str | None] = dict.fromkeys(_OWN_LABELS) if is_lost else {}
        labels = {**body["metadata"]["labels"], **wanted}
        self._patch(node, {"metadata": {"labels": labels, "annotations": body["metadata"]["annotations"]}})
        units = {GPU: "0", SHARED: None, resource: "0" if is_lost else str(division.replicas)}
        self._patch(node, {"status": {"capacity": units, "allocatable": units}}, "--subresource=status")
        self._shown[node] = (division, is_lost)

    def _leave(self, node: str) -> None:
        gone = dict.fromkeys((*_OWN_LABELS, CONFIG_LABEL, MARK))
        self._patch(node, {"metadata": {"labels": gone, "annotations": {MARK: None}}})
        units = {GPU: None, SHARED: None}
        self._patch(node, {"status": {"capacity": units, "allocatable": units}}, "--subresource=status")

    def _patch(self, node: str, patch: Body, *arguments: str) -> None:
        self._cluster.run("patch", "node", node, "--type=merge", f"--patch={json.dumps(patch)}", *arguments)


_OWN_LABELS = tuple(name for name in fake_gpu_node()["metadata"]["labels"] if name != MARK)
