"""Runners of one question each: a real RayJob that comes with its question, is followed by another, and goes."""

import time

from demonstration.kubectl import Body, Kubectl
from demonstration.story import is_finished
from e2e.scene import (
    ANSWER_SECONDS,
    FAULT_SECONDS,
    PANEL_CALLS,
    await_answer,
    await_condition,
    await_gone,
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
"""Milliseconds of one model call: long enough to delete a RayJob in its middle."""

OWN = {"mode": "PerDeliberation"}


def ray_job_of(body: Body) -> str:
    return str(body["status"]["runner"]["rayJob"])


def await_runner_end(namespace: Kubectl, name: str) -> Body:
    """Return a RayJob as soon as it has ended, with its cluster gone."""

    def has_ended(body: Body) -> bool:
        return body.get("status", {}).get("jobDeploymentStatus") in {"Complete", "Failed"}

    body = namespace.wait_for("rayjobs", name, has_ended, seconds=FAULT_SECONDS, what="ended")
    await_none(namespace, "rayclusters")
    return body


def await_none(namespace: Kubectl, resource: str, *, selector: str = "") -> None:
    """Return as soon as no object of a resource is left of those that there are now."""
    names = [body["metadata"]["name"] for body in namespace.find_all(resource, selector=selector)]
    if names:
        await_gone(namespace, *(f"{resource}/{name}" for name in names))


def test_a_question_brings_its_runner_and_whatever_happens_to_that_is_answered_and_leaves_none(
    namespace: Kubectl,
) -> None:
    namespace.apply(council("rare", model=simulated_model(latencyMilliseconds=SLOW), runner=OWN))
    assert await_ready(namespace, "rare")["status"]["seatCount"] == "3/3"
    assert namespace.find_all("rayjobs") == []

    namespace.apply(deliberation("undisturbed", "rare"))
    await_condition(namespace, "deliberations", "undisturbed", "Ready", "False", reason="RunnerStarting")
    expected = await_answer(namespace, "undisturbed")
    job = await_runner_end(namespace, ray_job_of(expected))
    assert (job["status"]["jobDeploymentStatus"], job["status"]["jobStatus"]) == ("Complete", "SUCCEEDED")

    server = server_of(namespace, "rare")
    before = statistics(namespace, server)["calls"]
    namespace.apply(deliberation("disturbed", "rare"))
    first = ray_job_of(await_running(namespace, "disturbed"))
    namespace.delete("rayjobs", first)
    answer = await_answer(namespace, "disturbed")
    assert answer["status"]["runner"] == {"rayJob": f"{first.removesuffix('1')}2", "attempt": 2}
    assert outcome(answer) == outcome(expected)
    assert statistics(namespace, server)["calls"] - before <= PANEL_CALLS + 3

    namespace.apply(deliberation("cancelled", "rare"))
    running = await_running(namespace, "cancelled")
    namespace.run("patch", "deliberation", "cancelled", "--type=merge", '--patch={"spec":{"cancel":true}}')
    began = time.monotonic()
    ended = namespace.wait_for("deliberations", "cancelled", is_finished, seconds=ANSWER_SECONDS, what="finished")
    assert ended["status"]["phase"] == "Cancelled"
    await_gone(namespace, f"rayjob/{ray_job_of(running)}")
    assert time.monotonic() - began < FAULT_SECONDS

    namespace.run("delete", "deliberations", "--all", "--wait", "--timeout=120s", seconds=130)
    await_none(namespace, "rayjobs")
    await_none(namespace, "pods", selector="ray.io/is-ray-node=yes")
