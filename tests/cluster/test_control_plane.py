"""The control plane alone, as fixtures of contract tests use it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from cluster.host_state import processes
from clusters.control_plane import ControlPlane, running

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(shutil.which("go") is None, reason="the control plane is built with Go"),
]


def kubectl(plane: ControlPlane, *arguments: str) -> str:
    line = ["kubectl", "--kubeconfig", str(plane.kubeconfig), *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=True, timeout=60).stdout


def test_two_control_planes_live_beside_each_other_and_end_with_the_block() -> None:
    with running() as one, running() as other:
        assert one.url != other.url
        kubectl(one, "create", "namespace", "mine")
        # The controller manager answers: it makes the account of every new namespace.
        kubectl(one, "wait", "--for=create", "serviceaccount/default", "--namespace=mine", "--timeout=30s")
        assert kubectl(other, "get", "namespaces", "--output=name").split() != []
        assert "mine" not in kubectl(other, "get", "namespaces")
        version = json.loads(kubectl(one, "get", "--raw", "/version"))
        assert version["gitVersion"].startswith(f"v{version['major']}.{version['minor']}.")
        folders = [str(plane.kubeconfig.parent) for plane in (one, other)]
        assert all(processes(folder) for folder in folders)
    assert not any(processes(folder) for folder in folders)
    assert not any(Path(folder).exists() for folder in folders)


def test_a_failing_block_ends_its_control_plane_too() -> None:
    folders: list[Path] = []

    def failing_test() -> None:
        with running() as plane:
            folders.append(plane.kubeconfig.parent)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing_test()
    (folder,) = folders
    assert not processes(str(folder))
    assert not folder.exists()
