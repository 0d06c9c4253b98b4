import asyncio
from typing import Any

import pytest

from deliberation.api.v1alpha1.deliberation_status import DeliberationStatus
from deliberation.local import Options, read_manifests, run
from deliberation.local.options import BusChoice, Endpoint
from deliberation.local.running import LocalRun
from fakes.manifests import SIMULATED, council, deliberation, text
from fakes.simulated_server import serving

Body = dict[str, Any]

MEMORY = Options(bus=BusChoice.MEMORY)
VLLM: Body = {"name": "small", "vllm": {"model": "m"}}


async def run_locally(*bodies: Body, options: Options = MEMORY, **hooks: Any) -> LocalRun:
    return await run(read_manifests(text(*bodies)), options, **hooks)


def conditions(status: Body) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}


async def test_a_question_comes_back_with_the_status_of_a_cluster() -> None:
    done = await run_locally(council(), deliberation())
    [finished] = done.finished
    assert done.has_succeeded
    assert conditions(finished.status) == {
        "Ready": ("True", "Succeeded"),
        "Reconciling": ("False", "Succeeded"),
        "Stalled": ("False", "Succeeded"),
        "Admitted": ("True", "TaskPublished"),
        "CouncilReady": ("True", "CouncilReady"),
        "Succeeded": ("True", "Succeeded"),
    }
    assert finished.status["simulated"] is True
    assert finished.status["strategy"]["resolved"] == "Panel"
    assert DeliberationStatus.model_validate(finished.status).to_json() == finished.status


async def test_what_the_servers_counted_is_told() -> None:
    done = await run_locally(council(seats=2), deliberation(answer={"type": "Boolean"}))
    assert done.served["calls"] == done.finished[0].status["usage"]["calls"] == 2
    assert done.bus == "memory"


async def test_several_questions_to_several_councils_run_beside_each_other() -> None:
    questions = [deliberation(f"q-{number}", council=name) for name in ("a", "b") for number in range(3)]
    named = [{**body, "metadata": {"name": f"{index}"}} for index, body in enumerate(questions)]
    done = await run_locally(council("a"), council("b"), *named)
    assert [finished.name for finished in done.finished] == ["0", "1", "2", "3", "4", "5"]
    assert done.has_succeeded


async def test_higher_priority_is_answered_first() -> None:
    ended: list[str] = []

    def tell(body: Body) -> None:
        if body["status"]["phase"] == "Succeeded":
            ended.append(body["metadata"]["name"])

    spec = council(runner={"maxConcurrentDeliberations": 1})
    questions = [
        {**deliberation(priority=priority), "metadata": {"name": name}}
        for name, priority in (("low", -1), ("first", 1), ("normal", 0), ("second", 1))
    ]
    done = await run_locally(spec, *questions, tell=tell)
    assert ended == ["first", "second", "normal", "low"]
    assert [finished.name for finished in done.finished] == ["low", "first", "normal", "second"]


async def test_progress_is_told_as_statuses() -> None:
    told: list[str] = []
    await run_locally(council(), deliberation(), tell=lambda body: told.append(body["status"]["phase"]))
    assert told[-1] == "Succeeded"
    assert len(told) > 1


async def test_an_endpoint_stands_in_for_a_model_of_a_cluster() -> None:
    async with serving(api_key="sk") as server:
        options = Options(
            bus=BusChoice.MEMORY, endpoints={"small": Endpoint(server.base_url)}, api_keys={"small": "sk"}
        )
        done = await run_locally(council(models=[VLLM]), deliberation(answer={"type": "Boolean"}), options=options)
    [finished] = done.finished
    assert finished.has_succeeded
    assert finished.status["reproducibility"]["models"] == [{"name": "small", "model": "m", "simulated": False}]
    assert server.answered == 4  # a probe, and three votes


async def test_a_model_that_does_not_answer_is_told_at_once() -> None:
    endpoint = {"name": "small", "endpoint": {"url": "http://127.0.0.1:9/v1", "modelName": "m"}}
    done = await run_locally(council(models=[endpoint]), deliberation())
    [finished] = done.finished
    assert not done.has_succeeded
    assert finished.task is None
    council_ready = next(one for one in finished.status["conditions"] if one["type"] == "CouncilReady")
    assert council_ready["reason"] == "CouncilNotReady"
    assert "EndpointUnreachable: Model small: nothing listens at its address" in council_ready["message"]


async def test_a_failed_run_says_so() -> None:
    broken = {"name": "small", "simulated": {"latencyMilliseconds": 0, "malformedPercent": 100}}
    done = await run_locally(council(models=[broken]), deliberation(answer={"type": "Boolean"}))
    assert not done.has_succeeded
    assert conditions(done.finished[0].status)["Succeeded"] == ("False", "NoQuorum")
    assert done.finished[0].status["votes"]["abstentions"][0]["reason"] == "MalformedAnswer"


async def test_cancelling_keeps_what_there_is() -> None:
    cancel = asyncio.Event()
    slow = {"name": "slow", "simulated": {"latencyMilliseconds": 600_000}}
    members = [
        {"name": "quick", "role": "QA", "modelRef": "small"},
        {"name": "slow", "role": "QA", "modelRef": "slow"},
    ]

    def cancel_at_the_first_answer(body: Body) -> None:
        if body["status"].get("progress", {}).get("proposals"):
            cancel.set()

    done = await run_locally(
        council(models=[SIMULATED, slow], members=members),
        deliberation(quorum=1),
        cancel=cancel,
        tell=cancel_at_the_first_answer,
    )
    [finished] = done.finished
    assert finished.status["phase"] == "Cancelled"
    assert finished.status["observedGeneration"] == 2
    assert [proposal["seat"] for proposal in finished.status["proposals"]] == ["quick-0"]


async def test_cancelling_before_the_start_asks_no_model() -> None:
    cancel = asyncio.Event()
    cancel.set()
    done = await run_locally(council(), deliberation(cancel=True), cancel=cancel)
    assert done.finished[0].status["phase"] == "Cancelled"
    assert done.served.get("calls", 0) == 0


async def test_nothing_is_left_when_a_run_is_broken_off() -> None:
    began = asyncio.Event()
    slow = {"name": "small", "simulated": {"latencyMilliseconds": 600_000}}
    running = asyncio.create_task(run_locally(council(models=[slow]), deliberation(), tell=lambda _: began.set()))
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.all_tasks() == {asyncio.current_task()}
