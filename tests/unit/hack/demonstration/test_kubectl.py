"""kubectl for programs: what it says comes back as values and as errors with its own words."""

import os
from pathlib import Path

import pytest

from demonstration.kubectl import Body, Kubectl, KubectlError, NotReachedError, find_condition, is_true

FAKE_KUBECTL = """#!/bin/sh
case "$*" in
  *watch=1*) printf '%s\\n' '{"type":"ADDED","object":{"n":1}}' '{"type":"DELETED","object":{"n":2}}' \
      '{"type":"ADDED","object":{"n":3}}' '{"type":"ERROR","object":{"kind":"Status","status":"Failure"}}';;
  *"get councils gone"*) ;;
  *"get councils there"*) echo '{"kind":"Council"}';;
  *) echo "the server says no" >&2; exit 1;;
esac
"""


@pytest.fixture
def fake_kubectl(tmp_path: Path) -> Kubectl:
    program = tmp_path / "kubectl"
    program.write_text(FAKE_KUBECTL)
    program.chmod(0o755)
    return Kubectl(tmp_path / "kubeconfig", environment={"PATH": f"{tmp_path}:{os.environ['PATH']}"})


def test_an_absent_object_is_none(fake_kubectl: Kubectl) -> None:
    assert fake_kubectl.find("councils", "gone") is None
    assert fake_kubectl.find("councils", "there") == {"kind": "Council"}


def test_a_refusal_carries_the_words_of_the_server(fake_kubectl: Kubectl) -> None:
    with pytest.raises(KubectlError, match=r"kubectl apply --filename x\.yaml: the server says no"):
        fake_kubectl.apply(Path("x.yaml"))


def test_waiting_ends_with_the_state_that_was_wanted(fake_kubectl: Kubectl) -> None:
    assert fake_kubectl.wait_for("councils", "x", lambda body: body["n"] > 1, seconds=1) == {"n": 3}


def test_waiting_outlives_a_watch_that_breaks_off(fake_kubectl: Kubectl) -> None:
    seen: list[int] = []

    def is_second_look(body: Body) -> bool:
        seen.append(body["n"])
        return seen.count(1) > 1

    fake_kubectl.wait_for("councils", "x", is_second_look, seconds=60)
    assert seen == [1, 3, 1]


def test_waiting_in_vain_tells_the_last_state(fake_kubectl: Kubectl) -> None:
    with pytest.raises(NotReachedError, match="councils/x: not green within 1 s") as caught:
        fake_kubectl.wait_for("councils", "x", lambda body: bool(body.get("green")), seconds=1, what="green")
    assert caught.value.last == {"n": 3}


def test_a_condition_of_an_older_generation_does_not_count() -> None:
    condition = {"type": "Ready", "status": "True", "observedGeneration": 1}
    body: Body = {"metadata": {"generation": 2}, "status": {"conditions": [condition]}}
    assert find_condition(body, "Ready") is None
    assert not is_true(body, "Ready")
    body["metadata"]["generation"] = 1
    assert is_true(body, "Ready")
