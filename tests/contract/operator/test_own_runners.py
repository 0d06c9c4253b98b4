"""Runners of one question each, against a real API server and a real bus; the runner and KubeRay are scripted."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from contract.operator.conftest import Body, World, council_body, question_body
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol.entries import Proposal
from fakes.fake_runner import FakeRunner

pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]

QUESTION = "deliberation/question"
QUEUE = "kueue.x-k8s.io/queue-name"
RUNNING = {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}
FAILED = {"jobDeploymentStatus": "Failed", "jobStatus": "FAILED", "reason": "AppFailed"}


@pytest.fixture
async def council(world: World) -> Body:
    """The Council "architects" of three seats, Ready, which keeps no runner."""
    await world.apply(council_body(runner={"mode": "PerDeliberation"}))
    await world.wait("council/architects", "condition=Ready")
    return await world.get("council", "architects")


async def ray_job_of(world: World, attempt: int) -> Body:
    """Return the question's RayJob of an attempt, as soon as it is there."""
    await world.wait(QUESTION, f"jsonpath={{.status.runner.attempt}}={attempt}")
    name = (await world.get("deliberation", "question"))["status"]["runner"]["rayJob"]
    await world.wait(f"rayjob/{name}", "create")
    return await world.get("rayjob", name)


@asynccontextmanager
async def runner_of(world: World, ray_job: Body) -> AsyncIterator[FakeRunner]:
    """Give the fake runner that KubeRay would have started for a RayJob."""
    name = ray_job["metadata"]["name"]
    await world.script_ray_job(name, RUNNING)
    runner = FakeRunner(await world.connect_bus(), world.api.namespace, name.rpartition("-")[0])
    try:
        yield runner
    finally:
        await runner.bus.close()


async def test_each_question_has_a_runner_that_takes_its_task_and_no_other(world: World, council: Body) -> None:
    assert "runner" not in council["status"]
    await world.apply(question_body())
    await world.apply(question_body("other"))
    ray_job = await ray_job_of(world, 1)
    (owner,) = ray_job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Deliberation", "question")
    await world.wait_condition(QUESTION, "Ready", "False", "RunnerStarting")
    async with runner_of(world, ray_job) as runner:
        run, task = await runner.take()
        assert run.deliberation_uid == owner["uid"]
        assert await runner.find_task() is None
        await world.wait(QUESTION, "jsonpath={.status.phase}=Deliberating")
        await runner.finish(run, task)
        await world.wait(QUESTION, "condition=Succeeded")
        assert not await is_served(runner)
    name = ray_job["metadata"]["name"]
    assert "deletionTimestamp" not in (await world.get("rayjob", name))["metadata"]
    await world.kubectl("delete", QUESTION)


async def is_served(runner: FakeRunner) -> bool:
    """Return whether the bus still has a consumer for the runner."""
    try:
        await runner.find_task(0.1)
    except BusUnavailableError:
        return False
    return True


async def test_the_next_ray_job_goes_on_from_the_ledger_also_under_another_operator(
    world: World, council: Body
) -> None:
    assert council
    await world.apply(question_body())
    first = await ray_job_of(world, 1)
    async with runner_of(world, first) as runner:
        run, task = await runner.take()
        await runner.bus.publish_entry(run, Proposal(seat="dev-0", answer="yes"))
    world.operator.kill()
    await world.script_ray_job(first["metadata"]["name"], {**FAILED, "endTime": "2026-01-01T00:00:00Z"})
    world.operator.start()
    second = await ray_job_of(world, 2)
    asked: list[str] = []
    async with runner_of(world, second) as runner:
        await runner.finish(run, task, lambda _, ask: _note(asked, ask.seat))
    await world.wait(QUESTION, "condition=Succeeded")
    assert asked == ["dev-1", "dev-2"]
    assert (await world.get("deliberation", "question"))["status"]["runner"]["attempt"] == 2


def _note(asked: list[str], seat: str) -> Proposal:
    asked.append(seat)
    return Proposal(seat=seat, answer="yes")


async def test_after_three_ray_jobs_the_question_fails_and_says_why(world: World, council: Body) -> None:
    assert council
    await world.apply(question_body())
    for attempt in (1, 2, 3):
        ray_job = await ray_job_of(world, attempt)
        await world.script_ray_job(ray_job["metadata"]["name"], {**FAILED, "endTime": "2026-01-01T00:00:00Z"})
    await world.wait_condition(QUESTION, "Succeeded", "False", "RunnerFailed")
    body = await world.get("deliberation", "question")
    (succeeded,) = [one for one in body["status"]["conditions"] if one["type"] == "Succeeded"]
    assert "it was the last of 3 attempts" in succeeded["message"]


async def test_a_cancelled_question_has_its_ray_job_deleted(world: World, council: Body) -> None:
    assert council
    await world.apply(question_body())
    name = (await ray_job_of(world, 1))["metadata"]["name"]
    await world.kubectl("patch", QUESTION, "--type=merge", '--patch={"spec":{"cancel":true}}')
    await world.wait_condition(QUESTION, "Succeeded", "False", "Cancelled")
    await world.kubectl("wait", "--for=delete", f"rayjob/{name}", "--timeout=60s")


@pytest.fixture
async def kueue(world: World) -> AsyncIterator[None]:
    """Suspend each new RayJob with the label of a queue, as Kueue's webhook does."""
    name = f"fake-kueue-{world.api.namespace}"
    asked = {"apiGroups": ["ray.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["rayjobs"]}
    ours = {"matchLabels": {"kubernetes.io/metadata.name": world.api.namespace}}
    suspend = {"expression": '[JSONPatch{op: "add", path: "/spec/suspend", value: true}]'}
    spec = {
        "matchConstraints": {"resourceRules": [asked], "namespaceSelector": ours},
        "matchConditions": [{"name": "queued", "expression": f"'{QUEUE}' in object.metadata.?labels.orValue({{}})"}],
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": suspend}],
    }
    version = "admissionregistration.k8s.io/v1"
    kind = "MutatingAdmissionPolicy"
    await world.apply({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
    binding = {"policyName": name}
    await world.apply(
        {"apiVersion": version, "kind": f"{kind}Binding", "metadata": {"name": name}, "spec": binding},
    )
    for _ in range(300):
        if await is_suspended_at_birth(world):
            break
        await asyncio.sleep(0.2)
    yield
    await world.kubectl("delete", f"{kind}Binding/{name}".lower(), f"{kind}/{name}".lower())


async def is_suspended_at_birth(world: World) -> bool:
    """Return whether the fake Kueue is awake: the API server takes a moment to heed a new policy."""
    metadata = {"name": "probe", "labels": {QUEUE: "team"}}
    body = {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": metadata, "spec": {"entrypoint": "true"}}
    stored = await asyncio.to_thread(world.api.apply, body, "--dry-run=server")
    return bool(stored["spec"].get("suspend"))


@pytest.mark.usefixtures("kueue")
async def test_a_question_waits_for_kueues_quota_before_its_time_begins(world: World) -> None:
    body = council_body(runner={"mode": "PerDeliberation"})
    body["metadata"]["labels"] = {QUEUE: "team"}
    await world.apply(body)
    await world.wait("council/architects", "condition=Ready")
    await world.apply(question_body(timeoutSeconds=120))
    await world.wait_condition(QUESTION, "Admitted", "False", "RunnerSuspended")
    ray_job = await ray_job_of(world, 1)
    assert ray_job["metadata"]["labels"][QUEUE] == "team"
    assert "startTime" not in (await world.get("deliberation", "question"))["status"]
    resume = json.dumps({"spec": {"suspend": False}})
    await world.kubectl("patch", "rayjob", ray_job["metadata"]["name"], "--type=merge", f"--patch={resume}")
    await world.wait(QUESTION, "condition=Admitted")
    async with runner_of(world, ray_job) as runner:
        run, task = await runner.take()
        await runner.finish(run, task)
    await world.wait(QUESTION, "condition=Succeeded")
