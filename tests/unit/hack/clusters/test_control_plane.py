from pathlib import Path

import pytest

from clusters.control_plane import ControlPlaneOnly, stop
from clusters.errors import Refusal
from clusters.folders import Folders
from clusters.progress import Progress
from clusters.record import Cluster

CLUSTER = Cluster(Path("/state/clusters/bare"), "control-plane", 0, kuberay=False, kubernetes="v1")


def test_what_needs_a_node_is_refused(tmp_path: Path) -> None:
    provider = ControlPlaneOnly(Folders(tmp_path, tmp_path))
    with pytest.raises(Refusal, match="'bare' is a control plane only: it has no nodes"):
        provider.load(CLUSTER, [], Progress())
    with pytest.raises(Refusal, match="no nodes"):
        provider.inside(CLUSTER, "n1")


def test_stopping_what_never_started_is_fine(tmp_path: Path) -> None:
    stop(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_component_that_does_not_run_is_named(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "control-plane", 0, kuberay=False, kubernetes="v1")
    problems = ControlPlaneOnly(Folders(tmp_path, tmp_path)).problems(cluster)
    assert problems == [f"{name} does not run" for name in ("etcd", "kube-apiserver", "kube-controller-manager")]
