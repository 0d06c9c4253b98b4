"""Runners that sleep for want of questions, on the real KubeRay: what goes, what is told, and what wakes them."""

from demonstration.kubectl import Body, Kubectl, find_condition
from e2e.scene import (
    FAULT_SECONDS,
    READY_SECONDS,
    await_answer,
    await_condition,
    await_gone,
    await_ready,
    council,
    deliberation,
)

SLEEPY = {"dedicated": True, "idleSeconds": 60}
ASLEEP_SECONDS = 300


def test_idle_runners_have_no_pods_and_questions_wake_them_even_those_that_come_as_they_fall_asleep(
    namespace: Kubectl,
) -> None:
    sleeping, dozing = (start(namespace, name) for name in ("sleeping", "dozing"))

    namespace.wait_for("rayjobs", dozing, is_suspended, seconds=ASLEEP_SECONDS, what="suspended")
    namespace.apply(deliberation("caught", "dozing"))

    asleep = await_condition(namespace, "councils", "sleeping", "Ready", "True", reason="Asleep")
    assert asleep["message"] == (
        f"RayJob {sleeping} sleeps for want of questions and has no pods; the next Deliberation wakes it"
    )
    await_gone(namespace, "pods", f"--selector=app.kubernetes.io/instance={sleeping}")
    clusters = [one["metadata"]["name"] for one in namespace.find_all("rayclusters")]
    assert not [name for name in clusters if name.startswith(sleeping)]
    shown = namespace.wait_for("councils", "sleeping", shows_suspended, seconds=FAULT_SECONDS, what="suspended")
    assert shown["status"]["seatCount"] == "0/3"

    namespace.apply(deliberation("waking", "sleeping"))
    warming = namespace.wait_for("deliberations", "waking", tells_of_start, seconds=READY_SECONDS, what="Warming")
    assert warming["status"]["phase"] == "Warming"
    await_answer(namespace, "caught")
    await_answer(namespace, "waking")
    assert await_condition(namespace, "councils", "sleeping", "Ready", "True", reason="Ready")


def start(namespace: Kubectl, name: str) -> str:
    """Bring a Council up that may sleep; return the name of its RayJob."""
    namespace.apply(council(name, runner=SLEEPY))
    return str(await_ready(namespace, name)["status"]["runner"]["rayJob"])


def is_suspended(ray_job: Body) -> bool:
    return bool(ray_job["spec"].get("suspend"))


def shows_suspended(body: Body) -> bool:
    return bool(body["status"]["runner"]["phase"] == "Suspended")


def tells_of_start(body: Body) -> bool:
    """Return whether a waiting Deliberation says that a runner's cluster starts, and since when."""
    message = (find_condition(body, "CouncilReady") or {}).get("message", "")
    return "starts its cluster, since" in message
