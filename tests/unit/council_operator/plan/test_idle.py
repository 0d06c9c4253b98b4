from typing import Any

import pytest

from council_operator.plan.idle import may_sleep
from council_operator.render.labels import KUEUE_LABELS
from council_operator.status.conditions import format_time
from deliberation.protocol.health import ProbeResult
from fakes.bodies import ENDPOINT, VLLM, council, council_spec, deliberation
from fakes.fake_nodes import fake_gpu_node
from fakes.fake_world import FakeWorld, conditions_of

Body = dict[str, Any]


def sleepy(seconds: int = 600, **fields: Any) -> Body:
    return {"name": "small", "vllm": {**VLLM["vllm"], "idleSeconds": seconds, **fields}}


def ready_world(*councils: Body) -> FakeWorld:
    world = FakeWorld(nodes=[fake_gpu_node()])
    for body in councils or (council(council_spec(sleepy())),):
        world.create(body)
    world.settle()
    world.bring_up()
    world.settle()
    return world


def replicas(world: FakeWorld) -> list[int]:
    return [body["spec"]["replicas"] for (kind, _), body in sorted(world.children.items()) if kind == "Deployment"]


def go_on(world: FakeWorld, seconds: float) -> None:
    world.pass_time(seconds)
    world.beat()
    world.settle()


def reason(world: FakeWorld, kind: str = "Ready", name: str = "architects") -> tuple[str, str]:
    return conditions_of(world.councils[name])[kind]


def test_a_server_sleeps_when_nobody_asked_for_as_long_as_declared() -> None:
    world = ready_world()
    go_on(world, 599)
    assert replicas(world) == [1]
    go_on(world, 1)
    assert replicas(world) == [0]
    assert reason(world) == reason(world, "ModelsAvailable") == ("True", "Asleep")
    assert "the next Deliberation wakes it" in world.councils["architects"]["status"]["models"][0]["message"]


def test_it_sleeps_on_and_a_sleeping_council_is_left_in_peace() -> None:
    world = ready_world()
    go_on(world, 600)
    world.beat()
    assert world.reconcile_council("architects").actions == ()
    go_on(world, 3600)
    assert replicas(world) == [0]


def test_the_next_deliberation_wakes_it_and_waits_until_it_answers() -> None:
    world = ready_world()
    go_on(world, 600)
    world.create(deliberation())
    world.settle()
    assert replicas(world) == [1]
    assert reason(world) == ("False", "ModelStarting")
    status = world.deliberations["q1"]["status"]
    assert status["phase"] == "Warming"
    told = next(one["message"] for one in status["conditions"] if one["type"] == "Admitted")
    assert "model small: Deployment model-" in told
    assert world.tasks == {}
    world.bring_up()
    world.settle()
    assert len(world.tasks) == 1


def test_a_sleeping_council_takes_no_question_before_it_is_awake() -> None:
    world = ready_world()
    go_on(world, 600)
    world.create(deliberation())
    world.reconcile_deliberation("q1")
    assert world.tasks == {}
    assert world.deliberations["q1"]["status"]["phase"] == "Warming"


def test_an_unfinished_deliberation_keeps_it_awake_and_the_last_one_counts() -> None:
    world = ready_world()
    world.create(deliberation(timeoutSeconds=3600))
    world.settle()
    go_on(world, 601)
    assert replicas(world) == [1]
    world.run_to_the_end("q1")
    world.settle()
    go_on(world, 599)
    assert replicas(world) == [1]
    go_on(world, 1)
    assert replicas(world) == [0]


def test_a_server_that_never_served_does_not_sleep() -> None:
    world = FakeWorld()
    world.create(council(council_spec(sleepy())))
    world.settle()
    go_on(world, 6000)
    assert replicas(world) == [1]


def test_councils_that_share_a_server_must_all_allow_it_and_all_be_idle() -> None:
    world = ready_world(
        council(council_spec(sleepy(60)), name="one"),
        council(council_spec(sleepy(600)), name="two"),
    )
    assert len(replicas(world)) == 1
    go_on(world, 300)
    assert replicas(world) == [1]
    world.create(deliberation(council_name="one", timeoutSeconds=3600))
    go_on(world, 300)
    assert replicas(world) == [1]
    never = ready_world(council(council_spec(sleepy(60)), name="one"), council(council_spec(VLLM), name="two"))
    go_on(never, 6000)
    assert replicas(never) == [1]


def test_the_question_of_one_council_wakes_the_server_for_all() -> None:
    world = ready_world(council(council_spec(sleepy(60)), name="one"), council(council_spec(sleepy(60)), name="two"))
    go_on(world, 60)
    assert replicas(world) == [0]
    world.create(deliberation(council_name="two"))
    world.settle()
    assert replicas(world) == [1]
    assert reason(world, name="one") == ("False", "ModelStarting")


def test_a_sleeping_server_gives_its_gpu_to_another_and_waits_for_one_when_woken() -> None:
    gpu = {"gpu": {"sharing": "Exclusive"}}
    other = {"name": "small", "vllm": {**VLLM["vllm"], "revision": "other", **gpu}}
    world = ready_world(council(council_spec(sleepy(60, **gpu))))
    go_on(world, 60)
    assert replicas(world) == [0]
    world.create(council(council_spec(other), name="second"))
    world.settle()
    assert sorted(replicas(world)) == [0, 1]
    world.create(deliberation())
    world.settle()
    assert sorted(replicas(world)) == [0, 1]
    assert reason(world) == ("False", "GPUSlicesUnavailable")
    world.delete_council("second")
    world.settle()
    assert replicas(world) == [1]


def drowsy(seconds: int = 600, *models: Body, **runner: Any) -> Body:
    return council_spec(*models, runner={"idleSeconds": seconds, **runner})


def suspended(world: FakeWorld) -> list[bool]:
    return [bool(body["spec"].get("suspend")) for (kind, _), body in sorted(world.children.items()) if kind == "RayJob"]


def test_a_runner_sleeps_when_nobody_asked_for_as_long_as_declared() -> None:
    world = ready_world(council(drowsy()))
    go_on(world, 599)
    assert suspended(world) == [False]
    go_on(world, 1)
    assert suspended(world) == [True]
    assert reason(world) == reason(world, "RunnerReady") == ("True", "Asleep")
    world.start_runners()
    go_on(world, 3600)
    assert suspended(world) == [True]
    assert world.reconcile_council("architects").actions == ()
    status = world.councils["architects"]["status"]
    assert status["runner"]["phase"] == "Suspended"
    assert status["seatCount"] == "0/3"


def test_the_next_deliberation_wakes_the_runner_and_waits_until_it_is_heard() -> None:
    world = ready_world(council(drowsy()))
    go_on(world, 600)
    world.start_runners()
    world.pass_time(60)
    world.create(deliberation())
    world.settle()
    assert suspended(world) == [False]
    assert reason(world) == ("False", "RunnerStarting")
    status = world.deliberations["q1"]["status"]
    assert status["phase"] == "Warming"
    assert "RayJob runner-" in next(one["message"] for one in status["conditions"] if one["type"] == "Admitted")
    assert world.tasks == {}
    world.bring_up()
    world.settle()
    assert len(world.tasks) == 1
    world.run_to_the_end("q1")
    world.settle()
    go_on(world, 599)
    assert suspended(world) == [False]
    go_on(world, 1)
    assert suspended(world) == [True]


def test_an_unfinished_deliberation_keeps_the_runner_awake() -> None:
    world = ready_world(council(drowsy()))
    world.create(deliberation(timeoutSeconds=3600))
    world.settle()
    go_on(world, 601)
    assert suspended(world) == [False]


def test_a_runner_that_never_ran_does_not_sleep() -> None:
    world = FakeWorld()
    world.create(council(drowsy()))
    world.settle()
    go_on(world, 6000)
    assert suspended(world) == [False]


def test_a_runner_that_was_started_a_moment_ago_is_left_to_prove_itself() -> None:
    world = FakeWorld()
    world.create(council(drowsy(60)))
    world.settle()
    world.pass_time(6000)
    world.bring_up()
    world.settle()
    assert suspended(world) == [False]
    go_on(world, 60)
    assert suspended(world) == [True]


def test_councils_that_share_a_runner_must_all_allow_it_and_the_longest_time_counts() -> None:
    world = ready_world(council(drowsy(60), name="one"), council(drowsy(600), name="two"))
    go_on(world, 599)
    assert suspended(world) == [False]
    go_on(world, 1)
    assert suspended(world) == [True]
    world.start_runners()
    world.create(council(name="three"))
    world.settle()
    assert suspended(world) == [False]
    assert reason(world, name="one") == ("False", "RunnerStarting")


def test_the_question_of_one_council_wakes_the_runner_for_all() -> None:
    world = ready_world(council(drowsy(60), name="one"), council(drowsy(60), name="two"))
    go_on(world, 60)
    assert suspended(world) == [True]
    world.create(deliberation(council_name="two"))
    world.settle()
    assert suspended(world) == [False]


def test_how_long_runners_may_idle_makes_no_other_runner() -> None:
    world = ready_world(council(drowsy(60), name="one"), council(name="two"))
    assert len(suspended(world)) == 1


def test_a_runner_and_its_servers_sleep_and_wake_together() -> None:
    world = ready_world(council(drowsy(600, sleepy(600))))
    go_on(world, 600)
    assert (replicas(world), suspended(world)) == ([0], [True])
    world.create(deliberation())
    world.settle()
    assert (replicas(world), suspended(world)) == ([1], [False])


def test_an_endpoint_is_not_asked_while_the_runner_sleeps() -> None:
    world = FakeWorld()
    world.create(council(drowsy(60, ENDPOINT)))
    world.settle()
    world.probes = (ProbeResult(name="small"),)
    world.bring_up()
    world.settle()
    assert reason(world) == ("True", "Ready")
    go_on(world, 60)
    world.start_runners()
    world.probes = None
    go_on(world, 3600)
    assert reason(world) == reason(world, "ModelsAvailable") == ("True", "Asleep")


def the_ray_job(world: FakeWorld) -> Body:
    return next(body for (kind, _), body in world.children.items() if kind == "RayJob")


def test_a_runner_that_somebody_else_suspends_is_neither_resumed_nor_called_asleep() -> None:
    world = ready_world(council(drowsy(60)))
    the_ray_job(world)["spec"]["suspend"] = True
    world.start_runners()
    go_on(world, 3600)
    assert suspended(world) == [True]
    assert reason(world) == reason(world, "RunnerReady") == ("False", "RunnerSuspended")
    world.create(deliberation())
    world.settle()
    assert suspended(world) == [True]


def test_a_sleeping_runner_that_somebody_resumes_is_left_awake_until_it_has_idled_again() -> None:
    world = ready_world(council(drowsy(60)))
    go_on(world, 60)
    world.start_runners()
    the_ray_job(world)["spec"]["suspend"] = False
    world.pass_time(1000)
    world.bring_up()
    world.settle()
    assert reason(world) == ("True", "Ready")
    go_on(world, 59)
    assert suspended(world) == [False]
    go_on(world, 1)
    assert suspended(world) == [True]


def test_a_runner_that_took_long_to_start_is_not_put_to_sleep_as_soon_as_it_runs() -> None:
    world = FakeWorld()
    world.create(council(drowsy(60)))
    world.settle()
    world.start_servers()
    the_ray_job(world)["status"] = {"jobDeploymentStatus": "Initializing", "startTime": format_time(world.now_ms)}
    go_on(world, 300)
    world.start_runners()
    the_ray_job(world)["status"]["rayJobInfo"] = {"startTime": format_time(world.now_ms)}
    go_on(world, 0)
    assert reason(world) == ("True", "Ready")
    go_on(world, 59)
    assert suspended(world) == [False]
    go_on(world, 1)
    assert suspended(world) == [True]


@pytest.mark.parametrize("label", KUEUE_LABELS)
def test_a_council_in_a_queue_of_kueues_may_not_have_its_runner_sleep(label: str) -> None:
    body = council(drowsy(60))
    body["metadata"]["labels"] = {label: "team"}
    world = FakeWorld()
    world.create(body)
    world.settle()
    assert reason(world, "Stalled") == ("True", "InvalidSpec")
    told = next(
        one["message"] for one in world.councils["architects"]["status"]["conditions"] if one["type"] == "Ready"
    )
    assert f"with the label {label} it is Kueue that suspends the runner: remove either" in told
    assert suspended(world) == []


def test_a_runner_that_a_cluster_put_into_kueues_default_queue_is_not_suspended_by_us() -> None:
    world = ready_world(council(drowsy(60)))
    the_ray_job(world)["metadata"]["labels"][KUEUE_LABELS[0]] = "default"
    go_on(world, 3600)
    assert suspended(world) == [False]


def test_a_runner_that_a_council_has_moved_on_from_and_still_owns_stays_awake() -> None:
    world = ready_world(council(drowsy(60), name="one"), council(drowsy(60), name="two"))
    world.create(deliberation(council_name="one", timeoutSeconds=3600))
    world.settle()
    world.edit(world.councils["one"], runner={"idleSeconds": 60, "maxConcurrentDeliberations": 3})
    world.settle()
    before = world.tasks["uid-q1"][0]
    go_on(world, 3600)
    assert not world.children["RayJob", before]["spec"].get("suspend")


@pytest.mark.parametrize("spec", [{}, {"models": None}, {"models": [{"name": "x", "vllm": None}]}])
def test_a_council_without_such_servers_never_sleeps(spec: Body) -> None:
    assert not may_sleep({"spec": spec})
    assert not may_sleep({})
    assert may_sleep(council(council_spec(sleepy())))
    assert may_sleep(council(drowsy()))
