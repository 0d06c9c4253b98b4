"""Whatever is killed in the middle of a run: the same result, nothing lost, and no model call paid for twice."""

from demonstration.kubectl import Body, Kubectl
from e2e.scene import (
    OPERATOR,
    PANEL_CALLS,
    await_answer,
    await_condition,
    await_ready,
    await_running,
    council,
    deliberation,
    outcome,
    server_of,
    simulated_model,
    statistics,
)

SLOW = 4000
"""Milliseconds of one model call: long enough to kill something in its middle."""

KILL_NOW = ("--grace-period=0", "--force", "--wait=false")


def undisturbed(namespace: Kubectl) -> Body:
    """Return the answer of a run in which nothing is killed, on a Council that is ready afterwards."""
    namespace.apply(council("steady", model=simulated_model(latencyMilliseconds=SLOW)))
    await_ready(namespace, "steady")
    namespace.apply(deliberation("undisturbed", "steady"))
    return await_answer(namespace, "undisturbed")


def test_the_operator_may_be_killed(namespace: Kubectl, system: Kubectl) -> None:
    expected = undisturbed(namespace)
    server = server_of(namespace, "steady")
    before = statistics(namespace, server)
    namespace.apply(deliberation("disturbed", "steady"))
    await_running(namespace, "disturbed")
    system.run("delete", "pod", "--selector", "app.kubernetes.io/component=operator", *KILL_NOW)

    answer = await_answer(namespace, "disturbed")
    assert outcome(answer) == outcome(expected)
    assert answer["status"]["usage"]["calls"] == expected["status"]["usage"]["calls"] == PANEL_CALLS
    after = statistics(namespace, server)
    assert after["calls"] - before["calls"] == PANEL_CALLS
    system.run("rollout", "status", f"deployment/{OPERATOR}", "--timeout=180s", seconds=190)


def test_the_head_of_the_ray_cluster_may_be_killed(namespace: Kubectl) -> None:
    expected = undisturbed(namespace)
    namespace.apply(deliberation("disturbed", "steady"))
    await_running(namespace, "disturbed")
    namespace.run("delete", "pod", "--selector", "ray.io/node-type=head", *KILL_NOW)
    assert outcome(await_answer(namespace, "disturbed")) == outcome(expected)
    await_ready(namespace, "steady")


def test_nats_may_go_and_come_back(namespace: Kubectl, system: Kubectl) -> None:
    expected = undisturbed(namespace)
    namespace.apply(deliberation("disturbed", "steady"))
    await_running(namespace, "disturbed")
    nats = f"statefulset/{OPERATOR}-nats"
    system.run("scale", nats, "--replicas=0")
    try:
        fault = await_condition(namespace, "councils", "steady", "BusReady", "False")
        assert fault["reason"] == "BusUnavailable"
        assert fault["message"]
    finally:
        system.run("scale", nats, "--replicas=1")
    await_condition(namespace, "councils", "steady", "BusReady", "True")
    assert outcome(await_answer(namespace, "disturbed")) == outcome(expected)
    await_ready(namespace, "steady")
