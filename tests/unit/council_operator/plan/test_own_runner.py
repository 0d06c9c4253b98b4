from typing import Any

import pytest

from council_operator.plan import deliberation as deliberation_plan
from council_operator.plan import own_runner
from council_operator.plan.actions import Apply, Delete, EnsureTaskConsumer, Plan, PublishTask, RemoveTaskConsumer
from council_operator.plan.leavings import VERDICT_PATIENCE_SECONDS
from council_operator.status.conditions import format_time
from fakes.bodies import SETTINGS, council_spec, deliberation, ready_council
from fakes.fake_world import FakeWorld, conditions_of

Body = dict[str, Any]

FAILED: Body = {"jobDeploymentStatus": "Failed", "jobStatus": "FAILED", "reason": "AppFailed"}
COMPLETE: Body = {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}


def admitted_world(*, is_up: bool = True, **spec: Any) -> FakeWorld:
    """Return a world in which a question was admitted, with its runner up unless told otherwise."""
    world = FakeWorld()
    world.create(ready_council(council_spec(runner={"mode": "PerDeliberation"})))
    world.create(deliberation(**spec))
    look(world)
    if is_up:
        world.start_runners()
    return world


def look(world: FakeWorld) -> Plan:
    """Make one pass over the question."""
    return world.reconcile_deliberation("q1")


def plan_of(world: FakeWorld) -> Plan:
    return deliberation_plan.plan(world.observe_deliberation("q1"), SETTINGS)


def attempts(world: FakeWorld) -> list[str]:
    return [body["metadata"]["name"].rpartition("-")[2] for body in world.own_ray_jobs("q1")]


def fail(world: FakeWorld, status: Body = FAILED) -> None:
    """Have the runner's RayJob end, and so much time pass that the next one may follow."""
    world.end_runners(status)
    world.pass_time(max(own_runner.PAUSES_SECONDS))
    look(world)


def test_a_question_is_addressed_to_its_own_runner_before_that_starts() -> None:
    world = admitted_world(is_up=False)
    runner, task = world.tasks["uid-q1"]
    assert runner == task.own_runner
    assert runner in world.consumers
    (ray_job,) = world.own_ray_jobs("q1")
    assert ray_job["metadata"]["name"] == f"{runner}-a1"
    assert world.deliberations["q1"]["status"]["runner"] == {"rayJob": f"{runner}-a1", "attempt": 1}


def test_credentials_are_written_before_the_ray_job_that_mounts_them() -> None:
    world = FakeWorld()
    world.create(ready_council(council_spec(runner={"mode": "PerDeliberation"})))
    world.create(deliberation())
    kinds = [action.body["kind"] for action in plan_of(world).actions if isinstance(action, Apply)]
    assert kinds == ["Secret", "Secret", "RayJob"]


def test_a_crash_between_task_and_ray_job_is_made_good() -> None:
    world = admitted_world(is_up=False)
    (name,) = [name for kind, name in world.children if kind == "RayJob"]
    del world.children["RayJob", name]
    world.deliberations["q1"]["status"].pop("runner")
    look(world)
    assert attempts(world) == ["a1"]


def test_the_next_attempt_waits_longer_each_time() -> None:
    world = admitted_world()
    world.end_runners(FAILED)
    for pause, known in zip(own_runner.PAUSES_SECONDS, (["a1"], ["a1", "a2"]), strict=True):
        world.pass_time(pause - 1)
        plan = look(world)
        assert (plan.actions, plan.look_again_after) == ((), 1.0)
        assert attempts(world) == known
        world.pass_time(1)
        look(world)
        assert len(attempts(world)) == len(known) + 1
        world.end_runners(FAILED)


@pytest.mark.parametrize(
    "status",
    [
        FAILED,
        {"jobDeploymentStatus": "ValidationFailed", "message": "no"},
        {"jobDeploymentStatus": "Failed", "reason": "PreRunningDeadlineExceeded"},
        {"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"},
        COMPLETE,
    ],
)
def test_whatever_ends_a_runner_before_the_verdict_another_follows(status: Body) -> None:
    world = admitted_world()
    fail(world, status)
    assert attempts(world) == ["a1", "a2"]
    assert conditions_of(world.deliberations["q1"])["Ready"] == ("False", "RunnerStarting")


def test_a_ray_job_that_kuberay_forgot_is_deleted_and_followed_by_another() -> None:
    world = admitted_world()
    world.lose_heads()
    look(world)
    assert conditions_of(world.deliberations["q1"])["Ready"] == ("False", "RunnerFailed")
    world.pass_time(61)
    look(world)
    assert attempts(world) == ["a2"]


def test_a_driver_that_leaves_its_question_alone_is_followed_by_another_after_a_while() -> None:
    world = admitted_world()
    world.pass_time(own_runner.SILENT_SECONDS - 1)
    assert plan_of(world) == Plan(look_again_after=1.0)
    world.pass_time(1)
    assert plan_of(world) == Plan(look_again_after=own_runner.PAUSES_SECONDS[0])
    world.pass_time(own_runner.PAUSES_SECONDS[0])
    look(world)
    assert attempts(world) == ["a2"]
    assert world.deliberations["q1"]["status"]["runner"]["attempt"] == 2


def test_a_driver_that_comes_to_itself_before_the_next_one_begins_is_left_to_it() -> None:
    world = admitted_world()
    world.pass_time(own_runner.SILENT_SECONDS)
    look(world)
    world.run_a_step("q1")
    world.pass_time(max(own_runner.PAUSES_SECONDS))
    look(world)
    assert attempts(world) == ["a1"]


def test_a_driver_that_has_taken_its_question_may_be_quiet_for_as_long_as_its_calls_take() -> None:
    world = admitted_world(timeoutSeconds=3600)
    world.run_a_step("q1")
    world.pass_time(1800)
    look(world)
    assert attempts(world) == ["a1"]


def test_what_an_earlier_driver_took_does_not_speak_for_a_later_one() -> None:
    world = admitted_world()
    world.run_a_step("q1")
    fail(world)
    world.start_runners()
    world.pass_time(own_runner.SILENT_SECONDS + max(own_runner.PAUSES_SECONDS))
    look(world)
    assert attempts(world) == ["a1", "a3"]


def test_a_cluster_that_is_slow_to_start_is_not_taken_for_a_silent_driver() -> None:
    world = admitted_world()
    (ray_job,) = world.own_ray_jobs("q1")
    del ray_job["status"]["rayJobInfo"]
    world.pass_time(10 * own_runner.SILENT_SECONDS)
    look(world)
    assert attempts(world) == ["a1"]


def test_a_driver_is_not_blamed_for_the_time_in_which_there_was_no_task() -> None:
    world = admitted_world(timeoutSeconds=3600)
    world.pass_time(60)
    world.tasks.pop("uid-q1")
    world.pass_time(own_runner.SILENT_SECONDS)
    look(world)
    assert plan_of(world) == Plan(look_again_after=deliberation_plan.LONGEST_LOOK_SECONDS)
    assert attempts(world) == ["a1"]


def test_the_last_driver_that_leaves_its_question_alone_ends_it_with_what_there_is_and_goes() -> None:
    world = admitted_world()
    world.run_a_step("q1")
    world.run_a_step("q1")
    fail(world)
    for _ in range(2):
        world.start_runners()
        world.pass_time(own_runner.SILENT_SECONDS + max(own_runner.PAUSES_SECONDS))
        look(world)
    world.settle()
    body = world.deliberations["q1"]
    assert conditions_of(body)["Succeeded"] == ("False", "RunnerFailed")
    assert "not taken the question up; it was the last of 3 attempts" in body["status"]["conditions"][0]["message"]
    assert len(body["status"]["proposals"]) == 3
    assert attempts(world) == ["a1"]


def test_a_deleted_ray_job_counts_as_an_attempt() -> None:
    world = admitted_world()
    world.delete_own_runner("q1")
    look(world)
    assert attempts(world) == ["a2"]


def test_after_the_last_attempt_what_there_is_becomes_the_result() -> None:
    world = admitted_world()
    world.run_a_step("q1")
    world.run_a_step("q1")
    for _ in range(own_runner.ATTEMPTS - 1):
        fail(world)
        world.start_runners()
    fail(world)
    world.settle()
    status = world.deliberations["q1"]["status"]
    assert conditions_of(world.deliberations["q1"])["Succeeded"] == ("False", "RunnerFailed")
    assert len(status["proposals"]) == 3
    assert status["runner"]["attempt"] == own_runner.ATTEMPTS
    assert "it was the last of 3 attempts" in next(c["message"] for c in status["conditions"] if c["type"] == "Ready")


def test_a_run_whose_last_driver_saw_its_end_failed_for_its_own_reason() -> None:
    world = admitted_world(timeoutSeconds=600)
    for _ in range(own_runner.ATTEMPTS - 1):
        fail(world)
        world.start_runners()
    world.pass_time(700)
    world.run_to_the_end("q1")
    world.end_runners(COMPLETE)
    world.settle()
    assert conditions_of(world.deliberations["q1"])["Succeeded"] == ("False", "TimedOut")


def test_a_question_that_succeeded_leaves_its_ray_job_to_end_by_itself() -> None:
    world = admitted_world()
    world.run_to_the_end("q1")
    plan = look(world)
    assert next(type(action) for action in plan.actions) is RemoveTaskConsumer
    world.settle()
    assert attempts(world) == ["a1"]
    assert world.tasks["uid-q1"][0] not in world.consumers


@pytest.mark.parametrize("spec", [{"cancel": True}, {"suspend": True}])
def test_a_question_that_is_stopped_leaves_nothing_that_runs(spec: Body) -> None:
    world = admitted_world()
    world.run_a_step("q1")
    world.edit(world.deliberations["q1"], **spec)
    world.settle()
    assert attempts(world) == []
    assert world.tasks["uid-q1"][0] not in world.consumers


def test_a_question_that_ran_out_of_time_leaves_nothing_that_runs() -> None:
    world = admitted_world(timeoutSeconds=60)
    world.pass_time(60 + deliberation_plan.TAKEOVER_SECONDS)
    world.settle()
    assert conditions_of(world.deliberations["q1"])["Succeeded"] == ("False", "TimedOut")
    assert attempts(world) == []


def test_an_operator_killed_before_it_stops_the_runner_of_an_ended_question_does_so_later() -> None:
    world = admitted_world()
    ray_job = dict(world.own_ray_jobs("q1")[0])
    world.edit(world.deliberations["q1"], cancel=True)
    world.settle()
    world.children["RayJob", ray_job["metadata"]["name"]] = ray_job
    (delete,) = plan_of(world).actions
    assert isinstance(delete, Delete)
    assert delete.uid == ray_job["metadata"]["uid"]


def test_a_resumed_question_has_all_its_attempts_again_under_another_name() -> None:
    world = admitted_world()
    fail(world)
    world.start_runners()
    first = world.tasks["uid-q1"][0]
    for suspend in (True, False):
        world.edit(world.deliberations["q1"], suspend=suspend)
        look(world)
        look(world)
    second, task = world.tasks["uid-q1"]
    assert (task.resumed, task.own_runner) == (1, second)
    assert second != first
    assert world.deliberations["q1"]["status"]["runner"] == {"rayJob": f"{second}-a1", "attempt": 1}


def queued_world(*, is_full: bool = True) -> FakeWorld:
    """Return a world with a question to a Council in one of Kueue's queues."""
    world = FakeWorld(kueue_is_full=is_full)
    body = ready_council(council_spec(runner={"mode": "PerDeliberation"}))
    body["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "team"}
    world.create(body)
    world.create(deliberation(timeoutSeconds=60))
    look(world)
    look(world)
    return world


def test_nobodys_time_runs_while_kueue_has_no_quota() -> None:
    world = queued_world()
    body = world.deliberations["q1"]
    assert not world.tasks
    assert conditions_of(body)["Admitted"] == ("False", "RunnerSuspended")
    assert body["status"]["phase"] == "Queued"
    assert "startTime" not in body["status"]
    world.pass_time(10_000)
    look(world)
    world.resume_runners()
    look(world)
    assert world.tasks["uid-q1"][1].started_at_ms == world.now_ms
    assert attempts(world) == ["a1"]


def test_where_kueue_has_quota_at_once_the_task_follows_the_ray_job() -> None:
    world = queued_world(is_full=False)
    assert attempts(world) == ["a1"]
    assert world.tasks


@pytest.mark.parametrize("spec", [{"cancel": True}, {"suspend": True}])
def test_a_question_that_is_stopped_gives_its_place_in_kueues_queue_back(spec: Body) -> None:
    world = queued_world()
    world.edit(world.deliberations["q1"], **spec)
    world.settle()
    assert attempts(world) == []
    assert not world.tasks


def test_a_runner_that_kueue_preempts_is_waited_for_and_not_replaced() -> None:
    world = queued_world(is_full=False)
    world.start_runners()
    world.run_a_step("q1")
    for ray_job in world.own_ray_jobs("q1"):
        ray_job["spec"]["suspend"] = True
        ray_job["status"] = {"jobDeploymentStatus": "Suspended"}
    look(world)
    assert conditions_of(world.deliberations["q1"])["Ready"] == ("False", "RunnerSuspended")
    assert world.deliberations["q1"]["status"]["phase"] == "Deliberating"
    assert attempts(world) == ["a1"]


def test_without_a_council_no_further_attempt_begins_and_one_that_comes_back_goes_on() -> None:
    world = admitted_world()
    council = world.councils.pop("architects")
    fail(world)
    assert attempts(world) == ["a1"]
    world.councils["architects"] = council
    look(world)
    assert attempts(world) == ["a1", "a2"]


def test_without_kuberay_nothing_is_concluded() -> None:
    world = admitted_world()
    world.kuberay_installed = False
    plan = look(world)
    assert plan.actions == ()
    assert conditions_of(world.deliberations["q1"])["Ready"] == ("False", "KubeRayNotInstalled")


def test_a_council_that_turns_warm_leaves_admitted_questions_their_runners() -> None:
    world = admitted_world()
    world.councils["architects"]["spec"]["runner"] = {}
    fail(world)
    assert attempts(world) == ["a1", "a2"]


def test_a_task_that_the_bus_has_lost_is_published_again_for_the_same_runner() -> None:
    world = admitted_world()
    runner, _ = world.tasks.pop("uid-q1")
    plan = look(world)
    assert {EnsureTaskConsumer, PublishTask} <= {type(action) for action in plan.actions}
    assert world.tasks["uid-q1"][0] == runner
    assert attempts(world) == ["a1"]


def test_a_deleted_question_takes_everything_along() -> None:
    world = admitted_world()
    world.run_a_step("q1")
    world.delete_deliberation("q1")
    world.settle()
    world.pass_time(VERDICT_PATIENCE_SECONDS)
    world.settle()
    assert not world.deliberations
    assert not [key for key in world.children if key[0] == "RayJob"]
    assert not [runner for runner in world.consumers if runner.startswith("d-")]


def test_an_end_without_a_time_delays_nothing() -> None:
    world = admitted_world()
    world.end_runners(FAILED)
    (ray_job,) = world.own_ray_jobs("q1")
    assert ray_job["status"].pop("endTime") == format_time(world.now_ms)
    look(world)
    assert attempts(world) == ["a1", "a2"]
