from typing import Any

import pytest

from council_operator.plan.idle import may_sleep
from fakes.bodies import VLLM, council, council_spec, deliberation
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


@pytest.mark.parametrize("spec", [{}, {"models": None}, {"models": [{"name": "x", "vllm": None}]}])
def test_a_council_without_such_servers_never_sleeps(spec: Body) -> None:
    assert not may_sleep({"spec": spec})
    assert not may_sleep({})
    assert may_sleep(council(council_spec(sleepy())))
