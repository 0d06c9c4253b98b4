"""One Council's life against a real API server, garbage collector and bus; KubeRay and the runner are scripted."""

import asyncio
import json
from pathlib import Path

import pytest

from clusters import control_plane, folders, kuberay, programs
from clusters.progress import Progress
from contract.api_server import ApiServer
from contract.operator import rights
from contract.operator.conftest import CRD_SECONDS, MEMBERS, World, council_body, question_body
from deliberation.protocol.health import ProbeResult
from fakes.fake_kubelet import FakeKubelet
from fakes.fake_runner import FakeRunner
from fakes.nats_server import NatsServer
from fakes.operator_process import OperatorProcess

pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]

COUNCIL = "council/architects"
SIMULATED = {"name": "small", "simulated": {"latencyMilliseconds": 0}}
CRDS = Path(__file__).parents[3] / "crds"


async def names(world: World, kind: str) -> list[str]:
    listed = json.loads(await world.kubectl("get", kind, "--output=json"))
    return sorted(item["metadata"]["name"] for item in listed["items"])


async def test_a_council_brings_up_what_it_declares(world: World) -> None:
    await world.apply(council_body(models=[SIMULATED]))
    async with FakeKubelet(world.api), await world.fake_runner("architects"):
        await world.wait(COUNCIL, "condition=Ready")
        body = await world.get("council", "architects")
        (model,) = body["status"]["models"]
        assert (model["ready"], model["simulated"]) == (True, True)
        assert body["status"]["simulated"] is True
        deployment = await world.get("deployment", model["deployment"])
        service = await world.get("service", model["deployment"])
        for child in (deployment, service, await world.get("rayjob", body["status"]["runner"]["rayJob"])):
            (owner,) = child["metadata"]["ownerReferences"]
            assert (owner["kind"], owner["uid"]) == ("Council", body["metadata"]["uid"])
        row = dict(zip(*(await asyncio.to_thread(world.api.table, COUNCIL)), strict=True))
        assert (row["READY"], row["MODELS"], row["SEATS"]) == ("True", "1/1", "3/3")


async def test_councils_that_declare_the_same_share_it_and_the_last_one_takes_it_away(world: World) -> None:
    for name in ("architects", "testers"):
        await world.apply(council_body(name, models=[SIMULATED]))
    for name in ("architects", "testers"):
        await world.wait(f"council/{name}", "jsonpath={.status.runner.rayJob}")
    deployments, ray_jobs = await names(world, "deployment"), await names(world, "rayjob")
    assert (len(deployments), len(ray_jobs)) == (1, 1)
    await world.wait(f"deployment/{deployments[0]}", "jsonpath={.metadata.ownerReferences[1].name}")
    await world.kubectl("delete", "council", "testers")
    await world.wait("council/testers", "delete")
    assert (await names(world, "deployment"), await names(world, "rayjob")) == (deployments, ray_jobs)
    await world.kubectl("delete", COUNCIL)
    await world.wait(f"deployment/{deployments[0]}", "delete")
    await world.wait(f"rayjob/{ray_jobs[0]}", "delete")
    await world.wait("secret/council-models", "delete")
    await world.wait("secret/council-bus", "delete")


async def test_a_child_that_somebody_deletes_comes_back(world: World) -> None:
    await world.apply(council_body(models=[SIMULATED]))
    await world.wait(COUNCIL, "jsonpath={.status.models[0].deployment}")
    name = (await names(world, "deployment"))[0]
    before = await world.get("deployment", name)
    await world.kubectl("delete", "deployment", name)
    await world.wait(f"deployment/{name}", "create")
    assert (await world.get("deployment", name))["metadata"]["uid"] != before["metadata"]["uid"]


async def test_a_changed_declaration_moves_to_a_new_server_and_leaves_nothing_behind(world: World) -> None:
    await world.apply(council_body(models=[SIMULATED]))
    async with FakeKubelet(world.api), await world.fake_runner("architects"):
        await world.wait(COUNCIL, "condition=Ready")
        (old,) = await names(world, "deployment")
        await world.apply(council_body(models=[{"name": "small", "simulated": {"seed": 2}}]))
        await world.wait(f"deployment/{old}", "delete")
        (new,) = await names(world, "deployment")
        assert new != old
        await world.wait(COUNCIL, f"jsonpath={{.status.models[0].deployment}}={new}")


@pytest.mark.parametrize("reason", ["SecretMissing", "EndpointUnreachable", "Unauthorized", "ModelNotServed"])
async def test_what_the_runner_cannot_reach_is_a_condition_that_heals(
    world: World, council: FakeRunner, reason: str
) -> None:
    council.probe_results["small"] = ProbeResult(name="small", reason=reason, message="what was found")
    await world.apply(council_body(models=[{**council_model(), "name": "small"}]))
    await world.kubectl("annotate", COUNCIL, "look=again")
    await world.wait_condition(COUNCIL, "ModelsAvailable", "False", reason)
    await world.wait(COUNCIL, "condition=Ready=False")
    del council.probe_results["small"]
    await world.wait(COUNCIL, "condition=Ready")


def council_model() -> dict[str, object]:
    """Return another endpoint than the one that was probed before, so that the test need not wait for a new probe."""
    return {"endpoint": {"url": "http://127.0.0.1:9/v2", "modelName": "m"}}


async def test_a_runner_that_ends_at_once_is_kept_for_a_while_and_the_council_says_until_when(
    world: World, council: FakeRunner
) -> None:
    ray_job = await world.get("rayjob", council.runner)
    await world.script_ray_job(council.runner, {"jobDeploymentStatus": "Failed", "reason": "AppFailed"})
    await world.wait_condition(COUNCIL, "RunnerReady", "False", "RunnerFailed")
    body = await world.get("council", "architects")
    message = next(one["message"] for one in body["status"]["conditions"] if one["type"] == "RunnerReady")
    assert "it is started anew at" in message
    assert (await world.get("rayjob", council.runner))["metadata"]["uid"] == ray_job["metadata"]["uid"]


async def test_a_bus_that_goes_away_is_a_condition_that_heals(world: World, council: FakeRunner) -> None:
    assert council
    world.nats.kill()
    await world.wait_condition(COUNCIL, "BusReady", "False", "BusUnavailable")
    await world.apply(question_body())
    await world.wait_condition("deliberation/question", "Admitted", "False", "BusUnavailable")
    world.nats.start()
    await world.wait(COUNCIL, "condition=BusReady")
    run, task = await council.take()
    await council.finish(run, task)
    await world.wait("deliberation/question", "condition=Succeeded")


async def test_a_cluster_without_kuberay_is_a_condition_that_heals(nats_server: NatsServer, tmp_path: Path) -> None:
    with control_plane.running() as running:
        api = ApiServer(running.kubeconfig)
        await asyncio.to_thread(api.kubectl, "apply", "--server-side", "--kustomize", str(CRDS))
        await asyncio.to_thread(api.kubectl, "wait", "--for=condition=Established", "crd", "--all")
        operator = OperatorProcess(tmp_path, rights.grant(api, tmp_path), nats_server.url, "default")
        operator.start()
        try:
            world = World(api, nats_server, operator)
            await world.apply(council_body())
            await world.wait_condition(COUNCIL, "RunnerReady", "False", "KubeRayNotInstalled")
            program = programs.provide(programs.KUBERAY, folders.from_environment().cache, Progress())
            for file in kuberay.crd_files(program):
                await asyncio.to_thread(api.kubectl, "apply", "--server-side", f"--filename={file}", within=CRD_SECONDS)
            await world.wait_condition(COUNCIL, "RunnerReady", "False", "RunnerStarting")
        finally:
            operator.kill()


async def test_seats_that_the_operator_counts_come_from_the_runner(world: World) -> None:
    await world.apply(council_body(members=[{**MEMBERS[0], "seats": 5}]))
    async with await world.fake_runner("architects"):
        await world.wait(COUNCIL, "condition=Ready")
        body = await world.get("council", "architects")
        assert body["status"]["members"] == [{"name": "dev", "seats": 5, "readySeats": 5}]


async def test_an_operator_ends_in_good_order(world: World, council: FakeRunner) -> None:
    assert council
    assert await asyncio.to_thread(world.operator.stop) == 0
