from typing import Any

from council_operator.plan.replicas import may_have_replicas
from fakes.bodies import SIMULATED, VLLM, council, council_spec
from fakes.fake_nodes import fake_gpu_node
from fakes.fake_world import FakeWorld

Body = dict[str, Any]


def several(replicas: int, **fields: Any) -> Body:
    return {"name": "small", "vllm": {**VLLM["vllm"], "replicas": replicas, **fields}}


def wanting(replicas: int, name: str = "architects", **fields: Any) -> Body:
    return council(council_spec(several(replicas, **fields)), name=name)


def world_of(*councils: Body, **fields: Any) -> FakeWorld:
    world = FakeWorld(**fields)
    for body in councils:
        world.create(body)
    go_on(world)
    return world


def go_on(world: FakeWorld) -> None:
    for _ in range(2):
        world.settle()
        world.bring_up()
    world.pass_time(60)
    world.beat()
    world.settle()


def the_deployment(world: FakeWorld) -> Body:
    (found,) = (body for (kind, _), body in world.children.items() if kind == "Deployment")
    return found


def test_a_server_that_is_to_have_more_replicas_keeps_those_that_run() -> None:
    world = world_of(wanting(1))
    before = the_deployment(world)
    world.edit(world.councils["architects"], models=[several(2)])
    go_on(world)
    after = the_deployment(world)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == {**before["spec"], "replicas": 2}


def test_councils_that_share_a_server_get_as_many_replicas_as_one_of_them_wants() -> None:
    world = world_of(wanting(3, "many"), wanting(1, "few"))
    assert the_deployment(world)["spec"]["replicas"] == 3
    assert [one.actions for one in map(world.reconcile_council, ("few", "many", "few"))] == [(), (), ()]
    world.edit(world.councils["many"], models=[several(2)])
    go_on(world)
    assert the_deployment(world)["spec"]["replicas"] == 2
    world.councils["many"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    go_on(world)
    assert the_deployment(world)["spec"]["replicas"] == 1


def test_a_council_of_another_namespace_adds_no_replicas() -> None:
    world = world_of(wanting(1))
    foreign = wanting(8, "foreign")
    foreign["metadata"]["namespace"] = "elsewhere"
    world.councils["foreign"] = foreign
    world.reconcile_council("architects")
    assert the_deployment(world)["spec"]["replicas"] == 1


def test_a_council_answers_with_the_gpus_there_are_and_says_how_many_more_its_replicas_need() -> None:
    whole: Body = {"gpu": {"sharing": "Exclusive"}}
    world = world_of(wanting(1, **whole), nodes=[fake_gpu_node("a")])
    world.edit(world.councils["architects"], models=[several(2, **whole)])
    go_on(world)
    status = world.councils["architects"]["status"]
    told = {one["type"]: one for one in status["conditions"]}
    assert (told["Ready"]["status"], told["GPUPlanValid"]["status"]) == ("True", "True")
    assert "no GPU for more replicas: asked for 1 x nvidia.com/gpu" in told["GPUPlanValid"]["message"]
    assert "a has 0 of 1 left" in told["GPUPlanValid"]["message"]
    assert status["models"][0]["replicas"] == {"wanted": 2, "ready": 1}
    assert status["models"][0]["message"] == "1 of 2 replicas answer"
    assert the_deployment(world)["spec"]["replicas"] == 1

    world.nodes = [fake_gpu_node("a"), fake_gpu_node("b")]
    go_on(world)
    assert the_deployment(world)["spec"]["replicas"] == 2


def test_only_what_vllm_serves_may_have_replicas() -> None:
    assert may_have_replicas({"spec": council_spec(VLLM)})
    assert not may_have_replicas({"spec": council_spec(SIMULATED)})
    assert not may_have_replicas({"spec": {"models": None}})
