"""A failure names the object, its conditions, and the pods that are in trouble."""

import os
from pathlib import Path

from demonstration.explain import explain
from demonstration.kubectl import Kubectl

FAKE_KUBECTL = """#!/bin/sh
case "$*" in
  *"get pods"*) echo '{"items":[
      {"metadata":{"name":"good"},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}},
      {"metadata":{"name":"bad"},"status":{"phase":"Pending"}}]}';;
  *"events --for pod/bad"*) echo 'Failed to pull image';;
  *"logs bad"*) echo 'no such container' >&2; exit 1;;
  *"logs deployment/council-operator"*) echo 'all is well here';;
esac
"""


def fake_kubectl(folder: Path) -> Kubectl:
    program = folder / "kubectl"
    program.write_text(FAKE_KUBECTL)
    program.chmod(0o755)
    return Kubectl(folder / "kubeconfig", environment={"PATH": f"{folder}:{os.environ['PATH']}"})


def test_the_fault_is_found_for_the_reader(tmp_path: Path) -> None:
    condition = {"type": "Ready", "status": "False", "reason": "ModelUnavailable", "message": "see pod bad"}
    said = explain(fake_kubectl(tmp_path), "councils", "reviewers", {"status": {"conditions": [condition]}})
    assert "councils/reviewers says:\n  Ready=False ModelUnavailable: see pod bad" in said
    assert "Pod bad is not ready. Its events:\n    Failed to pull image" in said
    assert "no such container" in said
    assert "Pod good" not in said
    assert "The operator's last log lines:\n    all is well here" in said
    assert f"kubectl --kubeconfig {tmp_path}/kubeconfig -n default describe councils reviewers" in said


def test_an_object_that_never_was_is_said_so(tmp_path: Path) -> None:
    assert "councils/x does not exist." in explain(fake_kubectl(tmp_path), "councils", "x", None)
    assert "the operator has not seen it" in explain(fake_kubectl(tmp_path), "councils", "x", {})
