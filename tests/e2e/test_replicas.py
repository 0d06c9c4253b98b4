"""Several replicas of one model on a real cluster: how they come, who is asked, and what the death of one costs.

The servers are fakes of vLLM, and named so; Deployment, DNS, evictions and routing are real.
"""

import itertools
import json
import time
from collections.abc import Iterable
from typing import Any

from deliberation.models.replicas import FRESH_SECONDS
from demonstration.kubectl import Body, Kubectl, is_true
from e2e.scene import FAULT_SECONDS, await_answer, await_condition, await_ready, council, deliberation, server_of

THINKING = 10_000
"""Milliseconds of one model call: long enough to see whom others ask meanwhile."""

CROWD = 24
"""Calls at the same time that a replica is too busy with to be asked more, while another has nothing to do."""

MOST_LOOKS = 500

KILL_NOW = ("--grace-period=0", "--force", "--wait=false")


def test_replicas_are_added_share_the_work_and_none_of_it_is_lost_when_one_is_killed(namespace: Kubectl) -> None:
    namespace.apply(council("pair", model=served(replicas=1)))
    await_ready(namespace, "pair")
    server = server_of(namespace, "pair")
    (first,) = pods_of(namespace, server)

    namespace.apply(council("pair", model=served(replicas=2)))
    namespace.wait_for("councils", "pair", counts(2, 2), seconds=FAULT_SECONDS, what="with two replicas")
    assert server_of(namespace, "pair") == server
    assert first in pods_of(namespace, server), "the server that ran was restarted"
    spared = "jsonpath={.status.disruptionsAllowed}=1"
    namespace.run("wait", f"poddisruptionbudget/{server}-each", f"--for={spared}", f"--timeout={FAULT_SECONDS}s")

    vote: Body = {"answer": {"type": "Boolean"}, "strategy": {"type": "Vote"}}
    namespace.apply(deliberation("few", "pair", **vote))
    await_answer(namespace, "few")
    assert sorted(stats(namespace, pod)["calls"] for pod in pods_of(namespace, server)) == [0, 3]

    vote["strategy"]["samples"] = CROWD // 3
    namespace.apply(deliberation("crowd", "pair", **vote))
    home = await_busy(namespace, pods_of(namespace, server), CROWD, seconds=FRESH_SECONDS)
    namespace.apply(deliberation("overflow", "pair", **vote))
    await_busy(namespace, {*pods_of(namespace, server)} - {home}, 1)
    namespace.run("delete", "pod", home, *KILL_NOW)
    less = namespace.wait_for("councils", "pair", counts(2, 1), seconds=FAULT_SECONDS, what="with one replica")
    assert less["status"]["models"][0]["message"] == "1 of 2 replicas answer"
    assert is_true(less, "Ready")
    for name in ("crowd", "overflow"):
        answer = await_answer(namespace, name)
        assert answer["status"]["progress"]["proposals"] == CROWD
        assert not answer["status"]["votes"].get("abstentions")
    namespace.wait_for("councils", "pair", counts(2, 2), seconds=FAULT_SECONDS, what="with two replicas again")


def test_while_a_server_keeps_calls_waiting_the_next_question_waits_in_the_queue(namespace: Kubectl) -> None:
    namespace.apply(council("narrow", model=served("--fake-batch=1")))
    await_ready(namespace, "narrow")
    vote: Body = {"answer": {"type": "Boolean"}, "strategy": {"type": "Vote"}}
    namespace.apply(deliberation("first", "narrow", **vote))
    namespace.wait_for("deliberations", "first", has_a_proposal, seconds=FAULT_SECONDS, what="answered by one seat")

    namespace.apply(deliberation("second", "narrow", **vote))
    waiting = await_condition(namespace, "deliberations", "second", "Admitted", "False", reason="Queued")
    assert "while a model keeps calls waiting" in waiting["message"]
    for name in ("first", "second"):
        await_answer(namespace, name)


def has_a_proposal(body: Body) -> bool:
    return bool(body.get("status", {}).get("progress", {}).get("proposals"))


def served(*flags: str, **fields: Any) -> Body:
    """Return a model on the CPU, served by the fake of vLLM."""
    small = {"name": "vllm", "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}}}
    server = {
        "model": "fake/simulated",
        "image": "council-operator/fake-vllm:0.1.0",
        "engineArgs": [f"--fake-latency-milliseconds={THINKING}", *flags],
        "podTemplate": {"spec": {"containers": [small]}},
    }
    return {"name": "shared", "vllm": {**server, **fields}}


def pods_of(namespace: Kubectl, server: str) -> list[str]:
    """Return the names of a server's pods that are there to stay."""
    pods = namespace.find_all("pods", selector=f"app.kubernetes.io/instance={server}")
    return [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def counts(wanted: int, ready: int) -> Any:
    """Return a test of a Council: whether its first model has so many replicas."""

    def holds(body: Body) -> bool:
        (model,) = body["status"].get("models") or [{}]
        return bool(model.get("replicas") == {"wanted": wanted, "ready": ready})

    return holds


def stats(namespace: Kubectl, pod: str) -> Body:
    """Return what a simulated server counts: calls, and those that wait for their answer."""
    path = f"/api/v1/namespaces/{namespace.namespace}/pods/{pod}:8000/proxy/stats"
    return dict(json.loads(namespace.run("get", "--raw", path)))


def await_busy(namespace: Kubectl, pods: Iterable[str], calls: int, *, seconds: float = 0) -> str:
    """Return the pod that works on so many calls at once, as soon as there is one that has for so many seconds."""
    since: dict[str, float] = {}
    for pod in itertools.islice(itertools.cycle(pods), MOST_LOOKS):
        if stats(namespace, pod)["waiting"] < calls:
            since.pop(pod, None)
        elif time.monotonic() - since.setdefault(pod, time.monotonic()) >= seconds:
            return pod
    raise AssertionError(f"none of {pods} had {calls} calls at once")
