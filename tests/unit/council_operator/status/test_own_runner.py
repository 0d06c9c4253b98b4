from typing import Any

import pytest

from fakes.bodies import council_spec, deliberation, ready_council
from fakes.fake_world import FakeWorld

Body = dict[str, Any]


def world_of(*, is_up: bool = True) -> FakeWorld:
    world = FakeWorld()
    world.create(ready_council(council_spec(runner={"mode": "PerDeliberation"})))
    world.create(deliberation())
    world.reconcile_deliberation("q1")
    if is_up:
        world.start_runners()
    return world


def read(world: FakeWorld) -> tuple[str, str, str]:
    """Return the phase, and the reason and the message of Ready."""
    world.reconcile_deliberation("q1")
    status = world.deliberations["q1"]["status"]
    (ready,) = [one for one in status["conditions"] if one["type"] == "Ready"]
    return status["phase"], ready["reason"], ready["message"]


def name_of(world: FakeWorld) -> str:
    (ray_job,) = world.own_ray_jobs("q1")
    return str(ray_job["metadata"]["name"])


def test_while_its_cluster_starts_a_question_is_warming() -> None:
    world = world_of(is_up=False)
    assert read(world) == (
        "Warming",
        "RunnerStarting",
        f"RayJob {name_of(world)} starts its cluster, which takes some 20 seconds",
    )


def test_a_pod_that_does_not_start_is_named_with_its_trouble() -> None:
    world = world_of(is_up=False)
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    metadata = {"name": "head", "labels": {"app.kubernetes.io/instance": name_of(world)}}
    world.pods = [{"metadata": metadata, "status": {"containerStatuses": [waiting]}}]
    phase, reason, message = read(world)
    assert (phase, reason) == ("Warming", "RunnerFailed")
    assert message.startswith("Pod head: ImagePullBackOff: no such image; see kubectl -n team-a describe pod head")


def test_a_runner_that_does_not_take_its_question_is_called_silent_after_a_while() -> None:
    world = world_of()
    assert read(world)[1] == "RunnerStarting"
    world.pass_time(60)
    phase, reason, message = read(world)
    assert (phase, reason) == ("Warming", "RunnerSilent")
    assert "can its head pod reach NATS?" in message


def test_a_runner_that_is_given_up_for_its_silence_is_told_with_what_follows() -> None:
    world = world_of()
    world.pass_time(120)
    phase, reason, message = read(world)
    assert (phase, reason) == ("Warming", "RunnerSilent")
    assert "has run for 120 s and not taken the question up; attempt 2 of 3 follows" in message
    assert "can its head pod reach NATS?" in message


def test_while_its_runner_works_there_is_nothing_to_say_of_it() -> None:
    world = world_of()
    world.run_a_step("q1")
    assert read(world) == ("Deliberating", "Deliberating", "")


def test_a_lost_head_is_told_and_the_phase_stays() -> None:
    world = world_of()
    world.run_a_step("q1")
    world.lose_heads()
    phase, reason, message = read(world)
    assert (phase, reason) == ("Deliberating", "RunnerFailed")
    assert "was lost; KubeRay starts the runner on the next head" in message


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"jobDeploymentStatus": "Failed", "reason": "AppFailed"}, "is Failed (AppFailed: the driver crashed"),
        ({"jobDeploymentStatus": "ValidationFailed", "message": "bad name"}, "KubeRay refuses RayJob"),
    ],
)
def test_how_an_attempt_ended_and_what_follows_is_told(status: Body, words: str) -> None:
    world = world_of()
    world.end_runners(status)
    phase, reason, message = read(world)
    assert (phase, reason) == ("Warming", "RunnerFailed")
    assert words in message
    assert status["jobDeploymentStatus"] == "ValidationFailed" or "attempt 2 of 3 follows" in message


def test_somebody_who_suspends_a_runner_is_told() -> None:
    world = world_of()
    world.own_ray_jobs("q1")[0]["spec"]["suspend"] = True
    phase, reason, message = read(world)
    assert (phase, reason) == ("Queued", "RunnerSuspended")
    assert "is suspended, and not by the operator" in message


def test_a_question_to_a_warm_council_has_no_runner_of_its_own() -> None:
    world = FakeWorld()
    world.create(ready_council())
    world.create(deliberation())
    assert read(world)[:2] == ("Queued", "Pending")
    assert "runner" not in world.deliberations["q1"]["status"]
