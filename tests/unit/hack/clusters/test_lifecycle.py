import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from clusters import claims, network
from clusters.archives import Archive
from clusters.errors import Refusal, StepFailed
from clusters.folders import Folders
from clusters.lifecycle import Clusters, Wish, describe
from clusters.locks import locked
from clusters.progress import Progress
from clusters.record import Cluster


class FakeProvider:
    """Starts nothing; remembers what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails: BaseException | None = None
        self.ills: list[str] = []

    def check(self) -> None:
        self.calls.append("check")

    def build(self, progress: Progress, *, kuberay: bool) -> None:
        progress.now("building")
        self.calls.append(f"build {'with' if kuberay else 'without'}")

    def start(self, cluster: Cluster, progress: Progress) -> None:
        progress.now("starting")
        (cluster.folder / "kubelet.log").write_text("last words")
        self.calls.append(f"start {cluster.name} {cluster.index}")
        if self.fails is not None:
            raise self.fails

    def remove(self, cluster: Cluster) -> None:
        self.calls.append(f"remove {cluster.name}")

    def problems(self, cluster: Cluster) -> list[str]:
        assert cluster.folder.exists()
        return self.ills

    def load(self, cluster: Cluster, archives: Sequence[Archive], progress: Progress) -> None:
        progress.now("loading")
        self.calls.append(f"load {len(archives)} into {cluster.name}")

    def inside(self, cluster: Cluster, node: str) -> list[str | Path]:
        return [cluster.name, node]


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    fake = FakeProvider()
    monkeypatch.setattr(Clusters, "provider", lambda *_: fake)
    monkeypatch.setattr(network, "host_routes", list)
    monkeypatch.setattr(claims, "FOLDER", tmp_path / "claims")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return fake


@pytest.fixture
def clusters(tmp_path: Path) -> Clusters:
    return Clusters(Folders(tmp_path / "cache", tmp_path / "state"), Progress())


def native(name: str = "default", nodes: int = 1) -> Wish:
    return Wish(name, "native", nodes)


def test_up_then_down(clusters: Clusters, provider: FakeProvider) -> None:
    cluster = clusters.up(native())
    assert provider.calls == ["check", "build with", "start default 0"]
    assert clusters.all() == [cluster]
    assert clusters.up(native("second")).index == 1
    assert clusters.down("default")
    assert not clusters.down("default")
    assert [left.name for left in clusters.all()] == ["second"]


def test_up_twice_starts_nothing(clusters: Clusters, provider: FakeProvider) -> None:
    clusters.up(native())
    provider.calls.clear()
    assert clusters.up(Wish()).name == "default"
    assert provider.calls == []


def test_up_of_an_ill_cluster_says_how_to_begin_again(clusters: Clusters, provider: FakeProvider) -> None:
    clusters.up(native())
    provider.ills = ["node n1 does not run"]
    with pytest.raises(Refusal, match=r"node n1 does not run\.\n.*hack/cluster down --name default"):
        clusters.up(native())


def test_up_of_another_kind_of_cluster_is_refused(clusters: Clusters, provider: FakeProvider) -> None:
    clusters.up(native())
    with pytest.raises(Refusal, match="up, but not as asked for: native, 1 node"):
        clusters.up(native(nodes=2))
    assert provider.calls.count("check") == 1


@pytest.mark.parametrize("nodes", [0, -1, 17])
def test_a_senseless_number_of_nodes_is_refused(clusters: Clusters, provider: FakeProvider, nodes: int) -> None:
    with pytest.raises(Refusal, match=f"can't have {nodes} nodes"):
        clusters.up(native(nodes=nodes))
    assert provider.calls == []


@pytest.mark.parametrize("failure", [StepFailed("starting", "no"), KeyboardInterrupt()])
def test_a_start_that_fails_is_removed_and_its_logs_are_kept(
    clusters: Clusters, provider: FakeProvider, failure: BaseException
) -> None:
    provider.fails = failure
    with pytest.raises(type(failure)):
        clusters.up(native())
    assert provider.calls[-1] == "remove default"
    assert clusters.all() == []
    assert (clusters.folders.state / "failed" / "default" / "kubelet.log").read_text() == "last words"


def test_a_start_that_fails_can_be_kept(clusters: Clusters, provider: FakeProvider) -> None:
    provider.fails = StepFailed("starting", "no")
    with pytest.raises(StepFailed):
        clusters.up(Wish(provider="native", keep=True))
    assert "remove default" not in provider.calls
    assert [cluster.name for cluster in clusters.all()] == ["default"]


@pytest.mark.usefixtures("provider")
def test_two_commands_do_not_work_on_one_cluster(clusters: Clusters) -> None:
    cluster = clusters.up(native())
    with locked(cluster.folder), pytest.raises(Refusal, match="Another command is working on cluster 'default'"):
        clusters.down("default")


@pytest.mark.usefixtures("provider")
def test_an_unknown_image_is_refused(clusters: Clusters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clusters.up(native())
    with pytest.raises(Refusal, match="no cluster 'other'"):
        clusters.load_images("other", ["x:1"])
    with pytest.raises(Refusal, match=r"There is no file 'missing\.tar'"):
        clusters.load_images("default", ["missing.tar"])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match="There is no image 'x:1'"):
        clusters.load_images("default", ["x:1"])


def test_what_a_cluster_is_in_a_few_words() -> None:
    assert (
        describe(Cluster(Path("/x"), "native", 2, kuberay=False, kubernetes="v1"))
        == "native, 2 nodes, Kubernetes v1, without KubeRay"
    )
    assert (
        describe(Cluster(Path("/x"), "control-plane", 0, kuberay=False, kubernetes="v1"))
        == "control plane only, Kubernetes v1"
    )
