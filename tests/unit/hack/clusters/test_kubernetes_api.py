import json
from pathlib import Path

import pytest

from clusters.errors import StepFailed
from clusters.kubernetes_api import Kubectl


def fake_kubectl(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Kubectl:
    """Put a script in the place of kubectl; it finds its arguments in `$*`."""
    path = folder / "kubectl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    return Kubectl(folder / "kubeconfig")


def nodes(*ready: str) -> str:
    return json.dumps(
        {"items": [{"status": {"conditions": [{"type": "Ready", "status": status}]}} for status in ready]}
    )


@pytest.mark.parametrize(
    ("listed", "problems"),
    [
        (nodes("True", "True"), []),
        (nodes("True", "Unknown"), ["1 of 2 nodes are Ready"]),
        (json.dumps({"items": [{"status": {}}]}), ["0 of 2 nodes are Ready"]),
    ],
)
def test_nodes_that_are_not_ready_are_a_problem(
    listed: str, problems: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fake_kubectl(tmp_path, f"echo '{listed}'", monkeypatch).problems(2) == problems


def test_a_silent_api_server_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = fake_kubectl(tmp_path, "echo connection refused >&2; exit 1", monkeypatch).problems(1)
    assert problem.startswith("the API server does not answer (")
    assert "connection refused" in problem


def test_a_deployment_that_does_not_come_shows_its_pods_and_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = 'case "$*" in *wait*) echo timed out >&2; exit 1;; *pods*) echo coredns-1 Failed;; *) echo no image;; esac'
    with pytest.raises(StepFailed, match=r"timed out\ncoredns-1 Failed\nno image"):
        fake_kubectl(tmp_path, script, monkeypatch).wait_deployment("coredns", "kube-system", "waiting for the DNS")


def test_objects_are_applied_server_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl = fake_kubectl(tmp_path, f'echo "$*" > {tmp_path}/said; cat >> {tmp_path}/said', monkeypatch)
    kubectl.apply([{"kind": "Namespace"}], "test")
    assert (
        tmp_path / "said"
    ).read_text() == f"--kubeconfig={tmp_path}/kubeconfig apply --server-side --filename -\nkind: Namespace\n"
