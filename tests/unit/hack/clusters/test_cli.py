import signal
from pathlib import Path

import pytest

from clusters import cli
from clusters.errors import Refusal, StepFailed
from clusters.lifecycle import Clusters, Wish
from clusters.record import Cluster


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)


def test_without_clusters_every_command_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 0
    assert cli.main(["down"]) == 0
    assert cli.main(["down", "--all"]) == 0
    assert cli.main(["kubeconfig"]) == 2
    said = capsys.readouterr()
    assert "Start one: hack/cluster up" in said.out
    assert "There is no cluster 'default'; nothing to do." in said.out
    assert "Start one: hack/cluster up --name default" in said.err


def test_up_asks_for_what_the_user_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    wishes: list[Wish] = []

    def up(_: Clusters, wish: Wish) -> Cluster:
        wishes.append(wish)
        return Cluster(Path("/state/second"), "native", 2, kuberay=False, kubernetes="v1")

    monkeypatch.setattr(Clusters, "up", up)
    assert (
        cli.main(["up", "--name", "second", "--nodes", "2", "--provider", "native", "--without-kuberay", "--keep"]) == 0
    )
    assert cli.main(["up", "--control-plane-only"]) == 0
    assert wishes == [
        Wish("second", "native", 2, kuberay=False, keep=True),
        Wish("default", "control-plane", 1, kuberay=True, keep=False),
    ]
    assert "export KUBECONFIG=/state/second/kubeconfig" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (Refusal("No.", "Do that."), 2, "hack/cluster: No.\n  Do that.\n"),
        (StepFailed("baking", "no flour"), 1, "hack/cluster: failed: baking: no flour\n"),
    ],
)
def test_what_goes_wrong_is_one_calm_message(
    raised: Exception, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def up(*_: object) -> Cluster:
        raise raised

    monkeypatch.setattr(Clusters, "up", up)
    assert cli.main(["up"]) == status
    assert capsys.readouterr().err == said


def test_an_interruption_has_the_status_that_shells_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    def up(*_: object) -> Cluster:
        raise KeyboardInterrupt

    monkeypatch.setattr(Clusters, "up", up)
    assert cli.main(["up"]) == 130


def test_status_fails_when_a_cluster_is_ill(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "state" / "council-operator" / "clusters" / "default"
    Cluster(folder, "native", 1, kuberay=True, kubernetes="v1").save()
    monkeypatch.setattr(Clusters, "problems", lambda *_: ["0 of 1 nodes are Ready"])
    assert cli.main(["status"]) == 1
    assert "default: 0 of 1 nodes are Ready (native, 1 node" in capsys.readouterr().out
    monkeypatch.setattr(Clusters, "problems", lambda *_: [])
    assert cli.main(["status"]) == 0


def test_a_bad_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "--name", "Not/Good"]) == 2
    assert "can't be the name of a cluster" in capsys.readouterr().err
