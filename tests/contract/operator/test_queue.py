"""The queue of a Council against a real API server and a real bus; the runner and KubeRay are scripted."""

import asyncio
import json
from typing import Any

import pytest

from contract.operator.conftest import World, council_body, question_body
from fakes.fake_runner import FakeRunner

pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]

ONE_AT_A_TIME = {"maxConcurrentDeliberations": 1}


async def ready_runner(world: World, **spec: Any) -> FakeRunner:
    """Make the Council "architects" Ready with a fake runner that takes one Deliberation at a time."""
    await world.apply(council_body(runner=ONE_AT_A_TIME, **spec))
    return await world.fake_runner("architects")


async def apply_all(world: World, *bodies: dict[str, object]) -> None:
    """Apply objects with one command, as from one file."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
    await world.kubectl("apply", "--server-side", "--filename=-", stdin=text)


async def status_of(world: World, name: str) -> dict[str, Any]:
    body = await world.get("deliberation", name)
    return dict(body["status"])


async def test_the_queue_is_worked_off_by_priority_then_age_and_shows_positions(world: World) -> None:
    async with await ready_runner(world) as runner:
        await world.wait("council/architects", "condition=Ready")
        await world.apply(question_body("first"))
        run, task = await runner.take()
        later = [question_body("low", priority=-1), question_body("normal"), question_body("high", priority=10)]
        await apply_all(world, *later)
        for name, position in (("high", 1), ("normal", 2), ("low", 5)):
            await world.wait(f"deliberation/{name}", f"jsonpath={{.status.queue.position}}={position}")
            await world.wait_condition(f"deliberation/{name}", "Admitted", "False", "Queued")
        await world.wait("council/architects", "jsonpath={.status.queue.queued}=3")
        order = [task.deliberation_name]
        for _ in later:
            await runner.finish(run, task)
            run, task = await runner.take()
            order.append(task.deliberation_name)
            assert await runner.find_task(0.3) is None
        await runner.finish(run, task)
        assert order == ["first", "high", "normal", "low"]
        await world.wait("deliberation/low", "condition=Succeeded")
        assert "queue" not in await status_of(world, "low")


async def test_councils_that_share_a_runner_take_turns(world: World) -> None:
    async with await ready_runner(world) as runner:
        await world.apply(council_body("testers", runner=ONE_AT_A_TIME))
        for name in ("architects", "testers"):
            await world.wait(f"council/{name}", "condition=Ready")
        await world.apply(question_body("a0"))
        run, task = await runner.take()
        await apply_all(world, *(question_body(f"a{number}") for number in range(1, 4)))
        await world.wait("deliberation/a3", "jsonpath={.status.queue.position}=5")
        await world.apply(question_body("t1", councilRef={"name": "testers"}))
        await world.wait("deliberation/t1", "jsonpath={.status.queue.position}=1")
        order = []
        for _ in range(4):
            await runner.finish(run, task)
            run, task = await runner.take()
            order.append(task.deliberation_name)
        assert order == ["t1", "a1", "a2", "a3"]


async def test_an_operator_that_starts_anew_keeps_the_order_and_the_bound(world: World) -> None:
    async with await ready_runner(world, limits={"maxQueued": 2}) as runner:
        await world.wait("council/architects", "condition=Ready")
        await world.apply(question_body("first"))
        run, task = await runner.take()
        await world.wait("deliberation/first", "jsonpath={.status.phase}=Deliberating")
        world.operator.kill()
        await apply_all(world, *(question_body(name) for name in ("d", "c", "b", "a")))
        world.operator.start()
        for name in ("c", "d"):
            await world.wait_condition(f"deliberation/{name}", "Succeeded", "False", "QueueFull")
        for name, position in (("a", 1), ("b", 2)):
            await world.wait(f"deliberation/{name}", f"jsonpath={{.status.queue.position}}={position}")
        assert await runner.find_task(0.3) is None
        await runner.finish(run, task)
        for name in ("a", "b"):
            run, task = await runner.take()
            assert task.deliberation_name == name
            await runner.finish(run, task)
        await world.wait("deliberation/b", "condition=Succeeded")
        row = dict(zip(*(await asyncio.to_thread(world.api.table, "deliberation/d")), strict=True))
        assert row["PHASE"] == "Failed"


async def test_who_was_admitted_before_the_operator_was_killed_keeps_the_place(world: World) -> None:
    """Have the status say what it said before the admission: the operator may be killed between the two."""
    async with await ready_runner(world) as runner:
        await world.wait("council/architects", "condition=Ready")
        await world.apply(question_body())
        run, task = await runner.take()
        await world.wait("deliberation/question", "jsonpath={.status.phase}=Deliberating")
        world.operator.kill()
        told = await status_of(world, "question")
        waits = {"status": "False", "reason": "Queued"}
        conditions = [one | (waits if one["type"] == "Admitted" else {}) for one in told["conditions"]]
        before = json.dumps({"status": {"phase": "Queued", "conditions": conditions}})
        await world.kubectl(
            "patch", "deliberation", "question", "--subresource=status", "--type=merge", f"--patch={before}"
        )
        await world.apply(question_body("before-it", priority=9))
        world.operator.start()
        await world.wait_condition("deliberation/before-it", "Admitted", "False", "Queued")
        await world.wait("deliberation/question", "jsonpath={.status.phase}=Deliberating")
        assert await runner.find_task(0.3) is None
        await runner.finish(run, task)
        _, task = await runner.take()
        assert task.deliberation_name == "before-it"


async def test_while_a_model_keeps_calls_waiting_no_more_are_begun(world: World) -> None:
    body = await world.apply(council_body())
    async with await world.fake_runner("architects") as runner:
        await world.wait("council/architects", "condition=Ready")
        await runner.strain(body["metadata"]["uid"])
        await world.apply(question_body("first"))
        run, task = await runner.take()
        await world.apply(question_body("second"))
        await world.wait("deliberation/second", "jsonpath={.status.queue.position}=1")
        assert await runner.find_task(2) is None
        await runner.strain()
        _, second = await runner.take()
        assert second.deliberation_name == "second"
        await runner.finish(run, task)


async def test_one_that_cannot_be_admitted_does_not_hold_up_the_line(world: World) -> None:
    async with await ready_runner(world) as runner:
        await world.wait("council/architects", "condition=Ready")
        await apply_all(world, question_body("broken", quorum=9, priority=100), question_body("sound"))
        run, task = await runner.take()
        assert task.deliberation_name == "sound"
        await runner.finish(run, task)
        await world.wait("deliberation/sound", "condition=Succeeded")
        await world.wait_condition("deliberation/broken", "Stalled", "True", "InvalidSpec")
