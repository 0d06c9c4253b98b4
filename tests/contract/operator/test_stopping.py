"""Cancel, suspend, expiry and deletion; where calls count, with the real desk, real seats and a simulated model."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from contract.operator.conftest import MEMBERS, World, council_body, question_body
from council_operator.kube.client import KubernetesClient
from council_operator.plan.actions import ObjectReference
from deliberation.local.seats import SeatsInProcess
from deliberation.models.client import ChatClient
from deliberation.runner.clock import SystemClock
from deliberation.runner.desk import Desk
from deliberation.runner.seat import Seat
from fakes.fake_runner import FakeRunner
from fakes.simulated_server import SimulatedServer, serving

pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]

QUESTION = "deliberation/question"
CANCEL_SECONDS = 2.0


@asynccontextmanager
async def held_calls(world: World, folder: Path) -> AsyncIterator[SimulatedServer]:
    """Have the question's three seats call a model that keeps them waiting, through the runner's own desk and seats."""
    async with serving(hold=True) as server:
        endpoint = {"name": "small", "endpoint": {"url": server.base_url, "modelName": server.model.name}}
        await world.apply(council_body(models=[endpoint]))
        async with await world.fake_runner("architects") as runner:
            await world.wait("council/architects", "condition=Ready")
            chat, clock = ChatClient(), SystemClock()
            seats = SeatsInProcess(Seat(runner.bus, chat, folder, clock))
            desk = Desk(runner.namespace, runner.runner, runner.bus, seats, clock, max_concurrent=8)
            working = asyncio.create_task(desk.run())
            try:
                await world.apply(question_body())
                async with asyncio.timeout(120):
                    await server.wait_for_calls(len(MEMBERS) * 3)
                yield server
            finally:
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
                await chat.close()


async def patch(world: World, **spec: bool) -> None:
    """Change the question, without the start of a process that would be timed, too."""
    configuration = Configuration()
    await config.load_kube_config(config_file=str(world.api.kubeconfig), client_configuration=configuration)
    client = KubernetesClient(ApiClient(configuration))
    reference = ObjectReference("councils.dev/v1alpha1", "Deliberation", world.api.namespace, "question")
    try:
        await client.merge(reference, {"spec": spec})
    finally:
        await client.close()


async def test_cancel_stops_calls_within_two_seconds(world: World, tmp_path: Path) -> None:
    async with held_calls(world, tmp_path) as server:
        began = time.monotonic()
        await patch(world, cancel=True)
        async with asyncio.timeout(60):
            await server.wait_for_aborts(3)
        seconds = time.monotonic() - began
        await world.wait_condition(QUESTION, "Succeeded", "False", "Cancelled")
        assert seconds <= CANCEL_SECONDS


async def test_a_suspended_question_stops_and_goes_on_where_it_was(world: World, tmp_path: Path) -> None:
    async with held_calls(world, tmp_path) as server:
        await patch(world, suspend=True)
        async with asyncio.timeout(60):
            await server.wait_for_aborts(3)
        await world.wait(QUESTION, "jsonpath={.status.phase}=Suspended")
        await world.wait("council/architects", "jsonpath={.status.queue.suspended}=1")
        server.may_answer.set()
        await patch(world, suspend=False)
        await world.wait(QUESTION, "condition=Succeeded")
        assert server.answered == 3


async def test_a_finished_question_goes_when_it_has_expired(world: World, council: FakeRunner) -> None:
    await world.apply(question_body(ttlSecondsAfterFinished=3600))
    run, task = await council.take()
    await council.finish(run, task)
    await world.wait(QUESTION, "condition=Succeeded")
    await world.kubectl(
        "patch", "deliberation", "question", "--type=merge", '--patch={"spec": {"ttlSecondsAfterFinished": 0}}'
    )
    await world.wait(QUESTION, "delete")
    await world.await_nothing_left(run)


async def test_a_suspended_council_admits_nobody(world: World, council: FakeRunner) -> None:
    await world.kubectl("patch", "council", "architects", "--type=merge", '--patch={"spec": {"suspend": true}}')
    await world.wait_condition("council/architects", "Ready", "False", "Suspended")
    await world.apply(question_body())
    await world.wait(QUESTION, "jsonpath={.status.phase}=Suspended")
    await world.kubectl("patch", "council", "architects", "--type=merge", '--patch={"spec": {"suspend": false}}')
    run, task = await council.take()
    await council.finish(run, task)
    await world.wait(QUESTION, "condition=Succeeded")


async def test_what_kueue_suspends_stays_suspended_and_says_so(world: World) -> None:
    body = council_body()
    body["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "team"}
    await world.apply(body)
    await world.wait("council/architects", "jsonpath={.status.runner.rayJob}")
    name = (await world.get("council", "architects"))["status"]["runner"]["rayJob"]
    await world.wait(f"rayjob/{name}", "create")
    assert (await world.get("rayjob", name))["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    await world.kubectl("patch", "rayjob", name, "--type=merge", '--patch={"spec": {"suspend": true}}')
    await world.script_ray_job(name, {"jobDeploymentStatus": "Suspended"})
    await world.wait_condition("council/architects", "RunnerReady", "False", "RunnerSuspended")
    await world.kubectl("patch", "rayjob", name, "--type=merge", '--patch={"metadata": {"annotations": null}}')
    await world.wait(f"rayjob/{name}", r"jsonpath={.metadata.annotations.councils\.dev/spec-digest}")
    assert (await world.get("rayjob", name))["spec"]["suspend"] is True


async def test_a_runner_that_nobody_asks_sleeps_and_the_council_that_did_not_send_it_there_can_wake_it(
    world: World,
) -> None:
    councils = [await world.apply(council_body(name, runner={"idleSeconds": 60})) for name in ("architects", "critics")]
    runner = await world.fake_runner("architects")
    name, runner.seats = runner.runner, {body["metadata"]["uid"]: 3 for body in councils}
    async with runner:
        for body in councils:
            await world.wait_condition(f"council/{body['metadata']['name']}", "Ready", "True", "Asleep")
        shown = await world.kubectl("get", "rayjob", name, "--output=json", "--show-managed-fields")
        managers = json.loads(shown)["metadata"]["managedFields"]
        sender = next(one["manager"] for one in managers if "f:suspend" in one["fieldsV1"].get("f:spec", {}))
        other = next(body for body in councils if not sender.endswith(body["metadata"]["uid"]))["metadata"]["name"]
        await world.script_ray_job(name, {"jobDeploymentStatus": "Suspended", "jobStatus": ""})
        await world.apply(question_body(councilRef={"name": other}))
        await world.wait(f"rayjob/{name}", "jsonpath={.spec.suspend}=false")
        await world.wait(QUESTION, "jsonpath={.status.phase}=Warming")
        await world.script_ray_job(name, {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"})
        run, task = await runner.take()
        await runner.finish(run, task)
        await world.wait(QUESTION, "condition=Succeeded")
        for body in councils:
            await world.wait_condition(f"council/{body['metadata']['name']}", "Ready", "True", "Ready")


@pytest.mark.parametrize("away", ["nothing", "nats", "operator"])
async def test_a_namespace_goes_with_all_that_is_in_it(world: World, council: FakeRunner, away: str) -> None:
    """Finished, in work, waiting and suspended ones: nothing of ours holds any of them."""
    await world.apply(question_body("finished"))
    run, task = await council.take()
    await council.finish(run, task)
    await world.wait("deliberation/finished", "condition=Succeeded")
    await world.apply(question_body("working"))
    await council.take()
    await world.apply(question_body("suspended", suspend=True))
    await world.apply(question_body("orphan", councilRef={"name": "nobody"}))
    await world.wait("deliberation/suspended", "jsonpath={.status.phase}=Suspended")
    if away != "nothing":
        (world.nats if away == "nats" else world.operator).kill()
    await world.kubectl("delete", "namespace", world.api.namespace, "--timeout=100s")
    left = json.loads(await world.kubectl("get", "deliberations", "--output=json"))["items"]
    assert left == []
