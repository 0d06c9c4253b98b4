"""Ray workers beside the head, on the real KubeRay with its autoscaler: one comes when the seats find no room."""

from demonstration.kubectl import Body, Kubectl
from e2e.scene import await_answer, await_ready, council, deliberation

ROOM_OF_THE_HEAD = 16
CHOICE = {"type": "Choice", "choices": ["payments", "search"]}


def workers_of(namespace: Kubectl, ray_job: str) -> list[Body]:
    """Return the pods that are Ray workers of a runner."""
    return namespace.find_all("pods", selector=f"app.kubernetes.io/instance={ray_job},ray.io/node-type=worker")


def test_a_worker_starts_when_the_head_has_no_room_for_a_seat(namespace: Kubectl) -> None:
    runner = {"dedicated": True, "workers": {"min": 0, "max": 1}}
    namespace.apply(council("crowd", seats=ROOM_OF_THE_HEAD + 1, runner=runner))
    ray_job = await_ready(namespace, "crowd")["status"]["runner"]["rayJob"]
    assert not workers_of(namespace, ray_job)

    namespace.apply(deliberation("vote", "crowd", answer=CHOICE))
    answer = await_answer(namespace, "vote")
    assert answer["status"]["progress"]["proposals"] == ROOM_OF_THE_HEAD + 1
    assert len(workers_of(namespace, ray_job)) == 1
