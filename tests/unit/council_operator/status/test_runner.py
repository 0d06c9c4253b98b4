from typing import Any

import pytest

from council_operator.plan.roster import build_roster
from council_operator.status.conditions import Finding, format_time
from council_operator.status.runner import summarise_runner
from deliberation.api.v1alpha1.council_status import RunnerStatus
from fakes.bodies import SETTINGS, council
from fakes.fake_world import FakeWorld

Body = dict[str, Any]


def world_of(*, is_up: bool = True) -> FakeWorld:
    world = FakeWorld()
    world.create(council())
    world.settle()
    if is_up:
        world.start_runners()
    return world


def summary(world: FakeWorld) -> tuple[RunnerStatus, Finding]:
    roster = build_roster(world.councils["architects"], SETTINGS)
    status, finding = summarise_runner(world.observe_council("architects"), roster)
    assert status is not None
    return status, finding


def test_a_runner_that_runs_and_beats_is_ready() -> None:
    status, finding = summary(world_of())
    assert (finding.type, finding.status) == ("RunnerReady", True)
    assert (status.phase, status.ray_cluster) == ("Running", f"{status.ray_job}-x")


@pytest.mark.parametrize(
    ("labels", "words"), [({"kueue.x-k8s.io/queue-name": "team"}, "Kueue's queue team"), ({}, "not by the operator")]
)
def test_a_runner_that_somebody_suspends_says_who(labels: Body, words: str) -> None:
    world = world_of(is_up=False)
    for (kind, _), child in world.children.items():
        if kind == "RayJob":
            child["spec"]["suspend"] = True
            child["metadata"]["labels"] |= labels
            child["status"] = {"jobDeploymentStatus": "Suspended"}
    _, finding = summary(world)
    assert (finding.status, finding.reason) == (False, "RunnerSuspended")
    assert words in finding.message


def test_a_runner_that_is_not_there_yet() -> None:
    world = world_of()
    world.children.clear()
    status, finding = summary(world)
    assert (finding.reason, finding.message) == ("RunnerStarting", f"RayJob {status.ray_job} is being created")
    assert (status.phase, status.ray_cluster) == ("Unknown", None)


def test_a_runner_that_starts() -> None:
    assert summary(world_of(is_up=False))[1].reason == "RunnerStarting"


@pytest.mark.parametrize("is_up", [False, True])
def test_a_runner_whose_pod_cannot_start_names_pod_and_reason(*, is_up: bool) -> None:
    """Also when KubeRay still calls it running: the head's pod was lost, and its successor does not come up."""
    world = world_of(is_up=is_up)
    world.pass_time(100)
    name = summary(world)[0].ray_job
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    metadata = {"name": "head", "labels": {"app.kubernetes.io/instance": name}}
    world.pods = [{"metadata": metadata, "status": {"containerStatuses": [waiting]}}]
    _, finding = summary(world)
    assert finding.reason == "RunnerFailed"
    assert finding.message.startswith("Pod head: ImagePullBackOff: no such image; see kubectl -n team-a describe")


def test_a_lost_head_is_told_at_once() -> None:
    world = world_of()
    world.lose_heads()
    status, finding = summary(world)
    assert finding.reason == "RunnerFailed"
    assert finding.message.startswith(f"the head pod of RayJob {status.ray_job} was lost")


def test_without_kuberay_the_condition_says_what_to_install() -> None:
    world = world_of()
    world.kuberay_installed = False
    _, finding = summary(world)
    assert finding.reason == "KubeRayNotInstalled"
    assert "install the KubeRay operator, version 1.6 or newer" in finding.message


def test_a_failed_runner_says_why_without_its_log() -> None:
    world = world_of()
    log = "Job entrypoint command failed, last available logs: the model said hello"
    world.end_runners({"jobDeploymentStatus": "Failed", "reason": "AppFailed", "message": log})
    _, finding = summary(world)
    assert finding.reason == "RunnerFailed"
    assert "is Failed (AppFailed: the driver crashed again and again); it is started anew" in finding.message
    assert "hello" not in finding.message


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            {"jobDeploymentStatus": "Failed", "jobStatus": "RUNNING", "reason": "JobStatusCheckTimeoutExceeded"},
            "is Failed (JobStatusCheckTimeoutExceeded: KubeRay could not ask the head for the job",
        ),
        ({"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"}, "is Complete; it is started anew"),
        ({"jobDeploymentStatus": "Failed", "reason": "NewInKubeRay"}, "is Failed (NewInKubeRay); it is started anew"),
    ],
)
def test_every_end_of_a_runner_is_told_with_what_follows(status: Body, words: str) -> None:
    world = world_of()
    world.end_runners(status)
    _, finding = summary(world)
    assert finding.reason == "RunnerFailed"
    assert words in finding.message


def test_a_refused_runner_shows_kuberays_words() -> None:
    world = world_of()
    world.end_runners({"jobDeploymentStatus": "ValidationFailed", "message": "name is too long"})
    assert "KubeRay refuses RayJob" in summary(world)[1].message
    assert "name is too long" in summary(world)[1].message


@pytest.mark.parametrize(("seconds", "status"), [(30, True), (31, False)])
def test_thirty_seconds_without_a_heartbeat_are_silence(seconds: int, *, status: bool) -> None:
    world = world_of()
    world.pass_time(seconds)
    _, finding = summary(world)
    assert finding.status is status
    assert finding.reason == ("Ready" if status else "RunnerSilent")


@pytest.mark.parametrize(("seconds", "reason"), [(59, "RunnerStarting"), (60, "RunnerSilent")])
def test_the_first_heartbeat_is_awaited_for_a_minute(seconds: int, reason: str) -> None:
    world = world_of()
    world.beats_ms.clear()
    world.pass_time(seconds)
    assert summary(world)[1].reason == reason


def test_an_operator_that_starts_believes_for_thirty_seconds_what_was_told_of_a_runner() -> None:
    world = world_of()
    world.settle()
    world.pass_time(3600)
    world.restart_operator()
    world.pass_time(30)
    assert summary(world)[1].reason == "Ready"
    world.pass_time(1)
    assert summary(world)[1].reason == "RunnerSilent"


def test_an_operator_that_starts_believes_nothing_of_a_runner_that_was_silent() -> None:
    world = world_of()
    world.pass_time(3600)
    world.settle()
    world.restart_operator()
    assert summary(world)[1].reason == "RunnerSilent"


def test_a_runner_that_was_woken_is_not_called_silent_for_what_it_did_before_its_sleep() -> None:
    world = world_of()
    world.pass_time(3600)
    ray_job = next(body for (kind, _), body in world.children.items() if kind == "RayJob")
    ray_job["status"]["startTime"] = format_time(world.now_ms)
    world.pass_time(59)
    assert summary(world)[1].reason == "RunnerStarting"
    world.pass_time(1)
    assert summary(world)[1].reason == "RunnerSilent"


@pytest.mark.parametrize(("phase", "is_told"), [("Suspended", False), ("", False), ("Initializing", True)])
def test_a_runner_that_starts_says_since_when_once_kuberay_does(phase: str, *, is_told: bool) -> None:
    world = world_of(is_up=False)
    ray_job = next(body for (kind, _), body in world.children.items() if kind == "RayJob")
    ray_job["status"] = {"jobDeploymentStatus": phase, "startTime": "2026-09-21T14:13:20Z"}
    _, finding = summary(world)
    assert finding.reason == "RunnerStarting"
    assert ("since 2026-09-21T14:13:20Z" in finding.message) is is_told


def test_without_nats_nobody_can_tell() -> None:
    world = world_of()
    world.bus_is_up = False
    world.pass_time(3600)
    _, finding = summary(world)
    assert (finding.status, finding.reason) == (None, "BusUnavailable")
