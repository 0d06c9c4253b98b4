"""What becomes of a model server's declaration at a real API server, which checks pod templates as no fake does."""

from typing import Any

import pytest

from contract.operator.conftest import World, council_body, question_body
from fakes.fake_kubelet import FakeKubelet

pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]

COUNCIL = "council/architects"
Body = dict[str, Any]


def served(**fields: Any) -> Body:
    return council_body(models=[{"name": "small", "vllm": {"model": "m", **fields}}])


async def deployment_of(world: World) -> Body:
    await world.wait(COUNCIL, "jsonpath={.status.models[0].deployment}")
    name = (await world.get("council", "architects"))["status"]["models"][0]["deployment"]
    await world.wait(f"deployment/{name}", "create")
    return await world.get("deployment", name)


async def test_everything_that_can_be_declared_makes_a_deployment_that_comes_up(world: World) -> None:
    await world.apply(
        served(
            weights={"size": "1Gi", "persistentVolumeClaim": {"claimName": "weights", "path": "m"}},
            adapters=[{"name": "law", "path": "law"}],
            engineArgs=["--max-num-seqs=8"],
            podTemplate={
                "metadata": {"labels": {"team": "a"}},
                "spec": {
                    "nodeSelector": {"disk": "ssd"},
                    "containers": [{"name": "vllm", "resources": {"limits": {"memory": "8Gi"}}}],
                },
            },
        )
    )
    pod = (await deployment_of(world))["spec"]["template"]
    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"memory": "8Gi"}
    assert pod["spec"]["containers"][0]["args"][-1] == "--max-num-seqs=8"
    async with FakeKubelet(world.api):
        await world.wait(COUNCIL, "condition=ModelsAvailable")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"restartPolicy": "Never"}, "spec.template.spec.restartPolicy: Unsupported value"),
        ({"colour": "green"}, "colour"),
        ({"priority": "high"}, "priority"),
    ],
)
async def test_a_template_that_the_api_server_refuses_is_told_and_a_better_one_heals(
    world: World, spec: Body, words: str
) -> None:
    await world.apply(served(podTemplate={"spec": spec}))
    await world.wait_condition(COUNCIL, "ModelsAvailable", "False", "ModelUnavailable")
    body = await world.get("council", "architects")
    message = next(one["message"] for one in body["status"]["conditions"] if one["type"] == "ModelsAvailable")
    assert "the API server refuses Deployment" in message
    assert words in message
    await world.apply(served())
    await world.wait_condition(COUNCIL, "ModelsAvailable", "False", "ModelStarting")


async def test_a_template_that_would_hide_the_pods_is_refused_before_anything_is_made(world: World) -> None:
    template = {"metadata": {"labels": {"app.kubernetes.io/instance": "mine"}}}
    await world.apply(served(podTemplate=template))
    await world.wait_condition(COUNCIL, "Stalled", "True", "InvalidSpec")


async def test_a_server_that_nobody_asks_sleeps_and_the_next_question_wakes_it(world: World) -> None:
    await world.apply(served(idleSeconds=60))
    async with FakeKubelet(world.api), await world.fake_runner("architects") as runner:
        name = (await deployment_of(world))["metadata"]["name"]
        await world.wait_condition(COUNCIL, "Ready", "True", "Ready")
        await world.wait_condition(COUNCIL, "Ready", "True", "Asleep")
        assert (await world.get("deployment", name))["spec"]["replicas"] == 0
        await world.apply(question_body())
        await world.wait(f"deployment/{name}", "jsonpath={.spec.replicas}=1")
        run, task = await runner.take()
        await runner.finish(run, task)
        await world.wait("deliberation/question", "condition=Succeeded")


async def test_a_sleeping_server_that_councils_share_is_awake_for_both_when_one_is_asked(world: World) -> None:
    critics = served(idleSeconds=60)
    critics["metadata"]["name"] = "critics"
    councils = [await world.apply(body) for body in (served(idleSeconds=60), critics)]
    async with FakeKubelet(world.api), await world.fake_runner("architects") as runner:
        runner.seats = {body["metadata"]["uid"]: 3 for body in councils}
        name = (await deployment_of(world))["metadata"]["name"]
        for body in councils:
            await world.wait_condition(f"council/{body['metadata']['name']}", "Ready", "True", "Asleep")
        await world.apply(question_body(councilRef={"name": "critics"}))
        await world.wait(f"deployment/{name}", "jsonpath={.spec.replicas}=1")
        run, task = await runner.take()
        await runner.finish(run, task)
        await world.wait("deliberation/question", "condition=Succeeded")
        for body in councils:
            await world.wait_condition(f"council/{body['metadata']['name']}", "Ready", "True", "Ready")


async def test_replicas_come_beside_those_that_run_with_a_disruption_budget_and_go_with_it(world: World) -> None:
    critics = served()
    critics["metadata"]["name"] = "critics"
    councils = [await world.apply(body) for body in (served(), critics)]
    async with FakeKubelet(world.api), await world.fake_runner("architects") as runner:
        runner.seats = {body["metadata"]["uid"]: 3 for body in councils}
        await world.wait(COUNCIL, "condition=Ready")
        before = await deployment_of(world)
        name = before["metadata"]["name"]

        await world.apply(served(replicas=2))
        await world.wait(f"deployment/{name}", "jsonpath={.spec.replicas}=2")
        after = await world.get("deployment", name)
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["spec"] == {**before["spec"], "replicas": 2}, "what runs would be restarted"
        await world.wait(f"poddisruptionbudget/{name}-each", "create")
        budget = await world.get("poddisruptionbudget", f"{name}-each")
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["selector"] == after["spec"]["selector"]
        assert [owner["name"] for owner in budget["metadata"]["ownerReferences"]] == ["architects"]

        await world.apply(served())
        await world.wait(f"deployment/{name}", "jsonpath={.spec.replicas}=1")
        await world.wait(f"poddisruptionbudget/{name}-each", "delete")
        await world.wait(f"service/{name}-each", "delete")
        await world.wait(COUNCIL, "condition=Ready")
