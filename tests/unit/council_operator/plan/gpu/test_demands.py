from dataclasses import replace
from typing import Any

import pytest

from council_operator.plan.gpu.demands import asks_for_gpu, plan_observed
from council_operator.plan.gpu.placing import GpuPlan, Refusal
from council_operator.plan.observed import GpuObserved
from council_operator.plan.settings import GpuDivision
from fakes.bodies import NOW_MS, SETTINGS, VLLM, council, council_spec
from fakes.fake_nodes import fake_gpu_node
from fakes.fake_world import FakeWorld

Body = dict[str, Any]


def on_gpu(name: str = "small", weights: Body | None = None, **gpu: Any) -> Body:
    vllm = {**VLLM["vllm"], "weights": weights or {}, "gpu": {"sharing": "TimeSlicing", **gpu}}
    return {"name": name, "vllm": vllm}


def world_of(*councils: Body, nodes: list[Body] | None = None) -> FakeWorld:
    world = FakeWorld(nodes=[fake_gpu_node(replicas=4)] if nodes is None else nodes)
    for body in councils or (council(council_spec(on_gpu())),):
        world.create(body)
    return world


def conditions(world: FakeWorld, name: str = "architects") -> dict[str, Body]:
    return {one["type"]: one for one in world.councils[name]["status"]["conditions"]}


def deployments(world: FakeWorld) -> list[Body]:
    return [body for (kind, _), body in sorted(world.children.items()) if kind == "Deployment"]


def live(world: FakeWorld) -> list[str]:
    return [body["metadata"]["name"] for body in deployments(world) if body["spec"]["replicas"]]


def test_a_council_without_gpus_has_nothing_to_plan() -> None:
    assert not asks_for_gpu(council())
    assert not asks_for_gpu({"spec": {"models": [{"name": "x", "vllm": None}]}})
    assert plan_observed(None, frozenset(), SETTINGS, NOW_MS) == GpuPlan()


def test_a_server_waits_until_it_is_in_sight_of_all_and_then_starts() -> None:
    world = world_of()
    world.settle()
    assert live(world) == []
    assert conditions(world)["ModelsAvailable"]["reason"] == "AwaitingTurn"
    assert conditions(world)["GPUPlanValid"]["status"] == "True"
    world.pass_time(2)
    world.settle()
    assert len(live(world)) == 1
    assert conditions(world)["ModelsAvailable"]["reason"] == "ModelStarting"
    world.bring_up()
    world.settle()
    assert conditions(world)["Ready"]["status"] == "True"
    (model,) = world.councils["architects"]["status"]["models"]
    assert model["gpu"] == {"resource": "nvidia.com/gpu", "slices": 1, "memoryUtilizationPercent": 23}


def test_two_models_on_one_gpu_start_one_after_the_other_and_say_so() -> None:
    world = world_of(council(council_spec(on_gpu(), on_gpu("other", memoryPerSlice="4Gi"))))
    world.settle()
    world.pass_time(2)
    world.settle()
    (first,) = live(world)
    condition = conditions(world)["ModelsAvailable"]
    assert f"waits for its turn, behind {first} in namespace team-a" in condition["message"]
    world.start_servers()
    world.settle()
    assert len(live(world)) == 2


def test_five_councils_share_one_server_on_one_slice() -> None:
    councils = [council(council_spec(on_gpu()), name=f"c{index}") for index in range(5)]
    world = world_of(*councils, nodes=[fake_gpu_node(replicas=1, strategy="time-slicing")])
    world.settle()
    world.pass_time(2)
    world.settle()
    world.bring_up()
    world.settle()
    assert len(deployments(world)) == 1
    assert all(conditions(world, f"c{index}")["Ready"]["status"] == "True" for index in range(5))


def test_a_model_that_does_not_fit_gets_no_pod_and_its_neighbour_goes_on() -> None:
    huge = council(council_spec(on_gpu(weights={"size": "40Gi"})), name="huge")
    world = world_of(huge, council(council_spec(on_gpu()), name="small"))
    world.settle()
    assert conditions(world, "huge")["GPUPlanValid"]["reason"] == "GPUMemoryTooSmall"
    assert conditions(world, "huge")["Ready"]["reason"] == "GPUMemoryTooSmall"
    assert "it needs 42752 MiB" in conditions(world, "huge")["ModelsAvailable"]["message"]
    assert len(deployments(world)) == 1
    assert conditions(world, "small")["GPUPlanValid"]["status"] == "True"


def test_missing_slices_give_the_configuration_to_apply_and_applying_it_heals() -> None:
    world = world_of(nodes=[fake_gpu_node()])
    world.settle()
    status = world.councils["architects"]["status"]
    assert conditions(world)["GPUPlanValid"]["reason"] == "GPUSlicesUnavailable"
    assert "status.gpuPlan.configMap" in conditions(world)["GPUPlanValid"]["message"]
    assert "replicas: 2" in status["gpuPlan"]["configMap"]
    assert deployments(world) == []
    world.nodes = [fake_gpu_node(replicas=2)]
    world.settle()
    assert conditions(world)["GPUPlanValid"]["status"] == "True"
    assert "gpuPlan" not in world.councils["architects"]["status"]


def ready_world(*councils: Body) -> FakeWorld:
    world = world_of(*councils)
    world.settle()
    world.pass_time(2)
    world.settle()
    world.bring_up()
    world.settle()
    return world


def test_a_node_that_loses_its_gpu_is_a_condition_that_heals_and_changes_no_server() -> None:
    world = ready_world()
    (before,) = deployments(world)
    world.nodes = [fake_gpu_node(gpus=0)]
    world.settle()
    assert conditions(world)["GPUPlanValid"]["reason"] == "GPUSlicesUnavailable"
    assert conditions(world)["Ready"]["status"] == "False"
    assert deployments(world) == [before]
    world.nodes = [fake_gpu_node(replicas=4)]
    world.settle()
    assert conditions(world)["Ready"]["status"] == "True"


def test_a_changed_model_is_given_the_only_slice_once_nobody_uses_the_old_one() -> None:
    world = FakeWorld(nodes=[fake_gpu_node(replicas=1)])
    world.create(council(council_spec(on_gpu(sharing="Exclusive"))))
    world.settle()
    world.bring_up()
    world.settle()
    (old,) = live(world)
    world.edit(world.councils["architects"], models=[on_gpu(sharing="Exclusive", memoryPerSlice="8Gi")])
    world.settle()
    world.pass_time(10)
    world.settle()
    assert old not in live(world)
    assert len(live(world)) == 1


def test_a_holding_that_somebody_took_off_is_put_back() -> None:
    world = ready_world()
    (body,) = deployments(world)
    del body["metadata"]["annotations"]["councils.dev/gpu"]
    world.settle()
    assert "councils.dev/gpu" in deployments(world)[0]["metadata"]["annotations"]


def test_nodes_that_cannot_be_read_are_said_so() -> None:
    world = world_of(council(council_spec(on_gpu(sharing="Exclusive"))))
    world.nodes = None
    world.settle()
    condition = conditions(world)["GPUPlanValid"]
    assert (condition["status"], condition["reason"]) == ("True", "GPUNodesUnreadable")
    world.edit(world.councils["architects"], models=[on_gpu()])
    world.settle()
    assert conditions(world)["GPUPlanValid"]["status"] == "False"
    assert "gpu.readNodes=true" in conditions(world)["GPUPlanValid"]["message"]


def stuck_pod(server: str) -> Body:
    waiting = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    metadata = {"name": f"{server}-x", "namespace": "team-a", "labels": {"app.kubernetes.io/instance": server}}
    return {"metadata": metadata, "spec": {"nodeName": "fake-gpu-a"}, "status": {"containerStatuses": [waiting]}}


@pytest.mark.parametrize("how", ["crashes", "gives up"])
def test_nobody_waits_behind_a_server_that_does_not_get_on(how: str) -> None:
    world = world_of(council(council_spec(on_gpu(), on_gpu("other", memoryPerSlice="4Gi"))))
    world.settle()
    world.pass_time(2)
    world.settle()
    (first,) = live(world)
    if how == "crashes":
        world.pods = [stuck_pod(first)]
    else:
        gave_up = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        world.children["Deployment", first]["status"] = {"conditions": [gave_up]}
    world.settle()
    assert len(live(world)) == 2


def test_the_node_that_a_server_runs_on_is_shown() -> None:
    world = ready_world()
    world.pods = [stuck_pod(live(world)[0])]
    world.settle()
    assert world.councils["architects"]["status"]["models"][0]["gpu"]["node"] == "fake-gpu-a"


@pytest.mark.parametrize(
    ("nodes", "weights", "words"),
    [
        (fake_gpu_node(replicas=4), {}, "whether the weights fit, vLLM finds out: declare weights.size"),
        (fake_gpu_node(replicas=4), {"size": "1Gi"}, "(5652 MiB, of which it needs 2816)"),
    ],
)
def test_a_valid_plan_says_what_was_checked(nodes: Body, weights: Body, words: str) -> None:
    world = world_of(council(council_spec(on_gpu(weights=weights))), nodes=[nodes])
    world.settle()
    assert words in conditions(world)["GPUPlanValid"]["message"]


def test_who_lacks_a_slice_is_told_what_the_operator_does_and_not_what_to_apply() -> None:
    division = GpuDivision((("pool", "shared"),), slices=4, config_map="sharing", namespace="gpu-operator")
    node = fake_gpu_node()
    node["metadata"]["labels"]["pool"] = "shared"
    found = GpuObserved(councils=(council(council_spec(on_gpu())),), deployments=(), pods=(), nodes=(node,))
    (refusal,) = plan_observed(found, frozenset(), replace(SETTINGS, gpu_division=division), 0).verdicts.values()
    assert isinstance(refusal, Refusal)
    assert (
        "the operator divides the GPUs of nodes with pool=shared into 4 slices each: fake-gpu-a is" in refusal.message
    )
    assert refusal.config_map == ""
