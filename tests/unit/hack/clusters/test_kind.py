from pathlib import Path

import pytest

from clusters import kind
from clusters.errors import Refusal
from clusters.folders import Folders
from clusters.record import Cluster

CLUSTER = Cluster(Path("/state/clusters/second"), "kind", 3, kuberay=True, kubernetes="v1")


def test_command_lines() -> None:
    kubeconfig = "/state/clusters/second/kubeconfig"
    assert kind.create_line(CLUSTER, Path("/k.yaml")) == [
        *("create", "cluster", "--name", "council-second", "--config", "/k.yaml"),
        *("--kubeconfig", kubeconfig, "--wait", "180s"),
    ]
    assert kind.delete_line(CLUSTER) == ["delete", "cluster", "--name", "council-second", "--kubeconfig", kubeconfig]
    assert kind.load_line(CLUSTER, Path("/x.tar")) == ["load", "image-archive", "/x.tar", "--name", "council-second"]


def test_every_node_has_the_models_at_the_path_that_they_have_here() -> None:
    config = kind.config(CLUSTER, Path("/cache/models"))
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker"]
    assert all(
        node["extraMounts"] == [{"hostPath": "/cache/models", "containerPath": "/cache/models"}]
        for node in config["nodes"]
    )


def test_nodes_are_named_as_in_every_provider() -> None:
    containers = [kind.node_container(CLUSTER, node) for node in ("n1", "n2", "n3")]
    assert containers == ["council-second-control-plane", "council-second-worker", "council-second-worker2"]
    with pytest.raises(Refusal, match="no node 'n4'"):
        kind.node_container(CLUSTER, "n4")


def program(folder: Path, name: str, status: int) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\nexit {status}\n")
    path.chmod(0o755)


def test_a_client_without_an_engine_is_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert kind.engine() is None
    program(tmp_path, "docker", 1)
    assert kind.engine() is None
    with pytest.raises(Refusal, match="No container engine answers"):
        kind.Kind(Folders(tmp_path, tmp_path)).check()
    program(tmp_path, "podman", 0)
    assert kind.engine() == "podman"
    program(tmp_path, "docker", 0)
    assert kind.engine() == "docker"
