from pathlib import Path

import pytest

from clusters import nodes
from clusters.addresses import AddressPlan
from clusters.archives import Archive
from clusters.components import ControlPlaneFiles
from clusters.errors import Refusal
from clusters.node_files import NodePlan

FILES = ControlPlaneFiles(Path("/p"), Path("/c"), Path("/n1"))
LISTING = """REF TYPE DIGEST SIZE PLATFORMS LABELS
docker.io/council-operator/x:1 application/vnd.oci sha256:manifest 9.0 MiB linux/amd64 -
sha256:config application/vnd.oci sha256:manifest 9.0 MiB linux/amd64 -
"""


def node(number: int, folder: Path) -> NodePlan:
    return NodePlan(AddressPlan(0), number, folder)


def test_only_the_first_node_runs_the_control_plane() -> None:
    first, second = (set(nodes.command_lines(node(number, Path("/n")), FILES)) for number in (1, 2))
    assert second == {"containerd", "kubelet", "kube-proxy"}
    assert first - second == {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}


def test_a_node_sees_files_of_its_own_where_the_kubelet_would_change_the_machine(tmp_path: Path) -> None:
    nodes.prepare(node(1, tmp_path), FILES)
    own = (tmp_path / "own.list").read_text().split()
    assert "var/lib/kubelet" in own
    assert "proc/sys/kernel/panic" in own
    assert all((tmp_path / "own" / path).exists() for path in own)
    assert (tmp_path / "own" / "proc/sys/vm/overcommit_memory").read_text() == "1\n"
    assert (tmp_path / "components" / "etcd").read_text().splitlines()[0] == "/p/etcd"


@pytest.mark.parametrize(
    ("name", "digest", "there"),
    [
        ("docker.io/council-operator/x:1", "sha256:config", True),
        ("docker.io/council-operator/x:1", "sha256:other", False),
        ("docker.io/council-operator/x:2", "sha256:config", False),
    ],
)
def test_an_image_is_there_when_name_and_content_are(name: str, digest: str, there: bool) -> None:  # noqa: FBT001
    assert nodes._has(LISTING, Archive(Path("x.tar"), (name,), digest)) is there


def test_a_node_that_does_not_run_can_not_be_entered(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="'n1' does not run"):
        nodes.inside(node(1, tmp_path))


def test_missing_network_plugins_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "NETWORK_PROGRAMS", (tmp_path,))
    with pytest.raises(Refusal, match="containernetworking-plugins"):
        nodes.network_programs()
    (tmp_path / "bridge").touch()
    assert nodes.network_programs() == tmp_path
