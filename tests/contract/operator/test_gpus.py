"""What a user sees of the GPU plan against a real API server. The nodes are fakes: no GPU, no device plugin, no pod."""

import asyncio
import json
from typing import Any

import pytest

from contract.operator.conftest import World, council_body
from council_operator.render.labels import GPU_HOLDING
from fakes.fake_kubelet import FakeKubelet
from fakes.fake_nodes import fake_gpu_node

pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]

COUNCIL = "council/architects"
NODE = "fake-gpu-of-a-contract-test"
Body = dict[str, Any]


def on_gpu(name: str = "small", weights: Body | None = None, **gpu: Any) -> Body:
    return {"name": name, "vllm": {"model": "m", "weights": weights or {}, "gpu": {"sharing": "TimeSlicing", **gpu}}}


async def set_node(world: World, gone: str = "", **fields: Any) -> None:
    """Have the fake node offer something, as a device plugin and GPU feature discovery would after a change."""
    node = fake_gpu_node(NODE, **fields)
    if gone:
        node["status"]["allocatable"][gone] = "0"
    status = json.dumps({"status": {**node["status"], "capacity": node["status"]["allocatable"]}})
    await world.kubectl("apply", "--filename=-", stdin=json.dumps({**node, "status": {}}))
    await world.kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", f"--patch={status}")


@pytest.fixture
async def sliced(world: World) -> Any:
    await set_node(world, replicas=4)
    yield world
    await world.kubectl("delete", "node", NODE)


async def live(world: World) -> list[str]:
    """Return the Deployments that are to have a pod."""
    listed = json.loads(await world.kubectl("get", "deployment", "--output=json"))
    return [item["metadata"]["name"] for item in listed["items"] if item["spec"]["replicas"]]


async def test_missing_slices_are_told_with_what_to_apply_and_applying_it_heals(world: World) -> None:
    await set_node(world)
    try:
        await world.apply(council_body(models=[on_gpu()]))
        await world.wait_condition(COUNCIL, "GPUPlanValid", "False", "GPUSlicesUnavailable")
        config = await world.kubectl("get", COUNCIL, "--output=jsonpath={.status.gpuPlan.configMap}")
        applied = await world.kubectl(
            "apply", "--dry-run=server", "--namespace=default", "--filename=-", stdin=in_default(config)
        )
        assert "configmap/council-gpu-sharing created" in applied
        assert await live(world) == []
        await set_node(world, replicas=2)
        await world.wait(COUNCIL, "condition=GPUPlanValid")
    finally:
        await world.kubectl("delete", "node", NODE)


def in_default(config: str) -> str:
    """Return the ConfigMap for a namespace that the test's cluster has: there is no device plugin in it."""
    return config.replace("namespace: gpu-operator", "namespace: default")


async def test_a_model_that_does_not_fit_is_refused_with_numbers_and_no_pod_is_made(sliced: World) -> None:
    await sliced.apply(council_body(models=[on_gpu(weights={"size": "16Gi"})]))
    await sliced.wait_condition(COUNCIL, "GPUPlanValid", "False", "GPUMemoryTooSmall")
    body = await sliced.get("council", "architects")
    message = next(one["message"] for one in body["status"]["conditions"] if one["type"] == "GPUPlanValid")
    assert "it needs 18176 MiB" in message
    assert "has 5652 MiB" in message
    assert json.loads(await sliced.kubectl("get", "deployment", "--output=json"))["items"] == []


async def test_two_models_on_one_gpu_start_one_after_the_other(sliced: World) -> None:
    await sliced.apply(council_body(models=[on_gpu(), on_gpu("other", memoryPerSlice="4Gi")]))
    await sliced.wait_condition(COUNCIL, "ModelsAvailable", "False", "ModelStarting")
    (first,) = await live(sliced)
    body = await sliced.get("council", "architects")
    waiting = [model for model in body["status"]["models"] if "waits for its turn" in model.get("message", "")]
    assert len(waiting) == 1
    assert first in waiting[0]["message"]
    async with FakeKubelet(sliced.api):
        await sliced.wait(COUNCIL, "condition=ModelsAvailable")
    assert len(await live(sliced)) == 2


async def test_a_node_that_loses_its_gpu_is_a_condition_that_heals(sliced: World) -> None:
    await sliced.apply(council_body(models=[on_gpu()]))
    async with FakeKubelet(sliced.api):
        await sliced.wait(COUNCIL, "condition=ModelsAvailable")
        (before,) = await live(sliced)
        await set_node(sliced, gpus=0)
        await sliced.wait_condition(COUNCIL, "GPUPlanValid", "False", "GPUSlicesUnavailable")
        await set_node(sliced, replicas=4)
        await sliced.wait(COUNCIL, "condition=GPUPlanValid")
        assert await live(sliced) == [before]


async def test_councils_share_one_server_on_one_slice(sliced: World) -> None:
    names = ("developers", "testers", "architects", "operators", "analysts")
    await asyncio.gather(*(sliced.apply(council_body(name, models=[on_gpu()])) for name in names))
    async with FakeKubelet(sliced.api):
        for name in names:
            await sliced.wait(f"council/{name}", "condition=ModelsAvailable")
    assert len(await live(sliced)) == 1


async def test_a_server_that_councils_shared_asks_for_slices_under_their_new_name_alone(sliced: World) -> None:
    for name in ("architects", "developers"):
        await sliced.apply(council_body(name, models=[on_gpu()]))
    async with FakeKubelet(sliced.api):
        for name in ("architects", "developers"):
            await sliced.wait(f"council/{name}", "condition=ModelsAvailable")
        (server,) = await live(sliced)
        await sliced.kubectl("delete", "council", "developers")
        await set_node(sliced, replicas=4, resource="nvidia.com/gpu.shared", gone="nvidia.com/gpu")
        limits = "{.spec.template.spec.containers[0].resources.limits"
        await sliced.wait(f"deployment/{server}", f"jsonpath={limits}.nvidia\\.com/gpu\\.shared}}=1")
        deployment = await sliced.get("deployment", server)
        asked = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
        assert {name for name, units in asked.items() if units != "0"} == {"nvidia.com/gpu.shared"}
        held = json.loads(deployment["metadata"]["annotations"][GPU_HOLDING])
        assert held["pool"]["resource"] == "nvidia.com/gpu.shared"
