"""Another image of the runner, on the real KubeRay: runs that have begun end first, and on the old one."""

from demonstration.kubectl import Body, Kubectl
from demonstration.story import is_finished
from e2e.scene import (
    NATS_IMAGE,
    READY_SECONDS,
    await_answer,
    await_gone,
    await_ready,
    await_running,
    council,
    deliberation,
    install_operator,
    simulated_model,
)

LONGER_THAN_AN_UPGRADE = 90_000
CHOICE = {"type": "Choice", "choices": ["payments", "search"]}


def test_an_upgrade_of_the_image_waits_for_the_runs_that_have_begun(cluster: Kubectl, namespace: Kubectl) -> None:
    namespace.apply(council("steady", model=simulated_model(latencyMilliseconds=LONGER_THAN_AN_UPGRADE)))
    old = runner_of(await_ready(namespace, "steady"))
    namespace.apply(deliberation("begun", "steady", answer=CHOICE))
    await_running(namespace, "begun")
    try:
        install_operator(cluster, images={"nats": NATS_IMAGE, "revision": "another"})
        namespace.wait_for("rayjobs", "", lambda body: body["metadata"]["name"] != old, seconds=READY_SECONDS)
        begun = namespace.find("deliberations", "begun")
        assert begun
        assert not is_finished(begun), "it ended before the new runner was made: make its model slower"
        usage = await_answer(namespace, "begun")["status"]["usage"]
        assert (usage["calls"], usage["repeatedCalls"]) == (3, 0)
        await_gone(namespace, f"rayjob/{old}")
        assert runner_of(await_ready(namespace, "steady")) != old
    finally:
        install_operator(cluster)


def runner_of(body: Body) -> str:
    """Return the RayJob that a Council's questions go to."""
    return str(body["status"]["runner"]["rayJob"])
