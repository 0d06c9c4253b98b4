"""One Deliberation's life against a real API server and a real bus; only the runner and KubeRay are scripted."""

import asyncio
import json

import pytest

from contract.operator.conftest import World, council_body, question_body
from deliberation.protocol import streams
from deliberation.protocol.entries import Proposal
from deliberation.protocol.subjects import Run, entry
from fakes.fake_runner import FakeRunner, agree

pytestmark = [pytest.mark.contract, pytest.mark.timeout(600)]

QUESTION = "deliberation/question"


async def test_a_question_becomes_a_task_and_its_ledger_becomes_the_answer(world: World, council: FakeRunner) -> None:
    await world.apply(question_body())
    run, task = await council.take()
    assert task.question == "Is it?"
    assert [seat.id for seat in task.seats] == ["dev-0", "dev-1", "dev-2"]
    await world.wait(QUESTION, "jsonpath={.status.phase}=Deliberating")
    await council.finish(run, task)
    await world.wait(QUESTION, "condition=Succeeded")
    body = await world.get("deliberation", "question")
    assert body["status"]["result"]["answer"] == "true"
    assert body["status"]["votes"]["counts"] == [{"answer": "true", "seats": 3, "weightMilli": 3000}]
    assert body["status"]["usage"]["calls"] == 3
    assert body["status"]["simulated"] is False
    row = dict(zip(*(await asyncio.to_thread(world.api.table, QUESTION)), strict=True))
    assert (row["COUNCIL"], row["PHASE"], row["ANSWER"]) == ("architects", "Succeeded", "true")


async def test_a_question_may_come_before_its_council(world: World) -> None:
    await world.apply(question_body())
    await world.wait_condition(QUESTION, "CouncilReady", "False", "CouncilNotFound")
    assert "queue" not in (await world.get("deliberation", "question"))["status"]
    await world.apply(council_body())
    await world.wait_condition(QUESTION, "CouncilReady", "False", "CouncilNotReady")
    async with await world.fake_runner("architects") as runner:
        run, task = await runner.take(timeout_seconds=180)
        await runner.finish(run, task)
    await world.wait(QUESTION, "condition=Succeeded")


@pytest.mark.parametrize("entries_before", [0, 1, 3])
async def test_an_operator_killed_at_any_moment_changes_nothing(
    world: World, council: FakeRunner, entries_before: int
) -> None:
    await world.apply(question_body())
    run, task = await council.take()
    for seat in task.seats[:entries_before]:
        await council.bus.publish_entry(run, Proposal(seat=seat.id, answer="yes"))
    world.operator.kill()
    asked: list[str] = []
    await council.finish(run, task, lambda task, ask: asked.append(ask.key) or agree(task, ask))  # type: ignore[func-returns-value]
    world.operator.start()
    await world.wait(QUESTION, "condition=Succeeded")
    body = await world.get("deliberation", "question")
    assert body["status"]["result"]["answer"] == "true"
    assert body["status"]["votes"]["winnerShareMilli"] == 1000
    assert len(asked) == 3 - entries_before
    assert await council.find_task() is None


async def test_an_operator_killed_before_it_admits_admits_once(world: World, council: FakeRunner) -> None:
    world.operator.kill()
    await world.apply(question_body())
    world.operator.start()
    run, task = await council.take()
    world.operator.kill()
    world.operator.start()
    assert await council.find_task() is None
    await council.finish(run, task)
    await world.wait(QUESTION, "condition=Succeeded")


async def test_a_cancelled_question_keeps_what_it_has(world: World, council: FakeRunner) -> None:
    await world.apply(question_body())
    run, task = await council.take()
    await council.bus.publish_entry(run, Proposal(seat="dev-0", answer="yes"))
    await world.kubectl("patch", "deliberation", "question", "--type=merge", '--patch={"spec": {"cancel": true}}')
    async with asyncio.timeout(120), council.bus.follow_ledger(run) as records:
        async for record in records:
            if record.key == "cancel":
                break
    await council.finish(run, task)
    await world.wait_condition(QUESTION, "Succeeded", "False", "Cancelled")
    body = await world.get("deliberation", "question")
    assert body["status"]["phase"] == "Cancelled"
    assert [proposal["id"] for proposal in body["status"]["proposals"]] == ["dev-0"]


async def test_the_operator_ends_a_run_whose_runner_never_answers(world: World, council: FakeRunner) -> None:
    await world.apply(question_body(timeoutSeconds=1))
    await council.take()
    await world.wait_condition(QUESTION, "Succeeded", "False", "TimedOut")


async def test_a_question_that_every_runner_dies_of_says_so_and_holds_nobody_up(
    world: World, council: FakeRunner
) -> None:
    await world.apply(question_body("poison"))
    for _ in range(streams.TaskConsumer.max_deliver):
        delivery = await council.bus.take_task(council.namespace, council.runner, 120)
        assert delivery
        await delivery.nak(0)
    await world.apply(question_body())
    run, task = await council.take()
    await council.finish(run, task)
    await world.wait(QUESTION, "condition=Succeeded")
    assert await council.find_task() is None
    await world.wait_condition("deliberation/poison", "Succeeded", "False", "DeadLetter")


async def test_a_deleted_question_leaves_no_message(world: World, council: FakeRunner) -> None:
    await world.apply(question_body())
    run, task = await council.take()
    await council.bus.publish_entry(run, Proposal(seat="dev-0", answer="yes"))
    await world.kubectl("delete", QUESTION)
    async with asyncio.timeout(120), council.bus.follow_ledger(run) as records:
        async for record in records:
            if record.key == "cancel":
                break
    await council.finish(run, task)
    await world.await_nothing_left(run)


async def test_a_question_can_be_deleted_while_the_bus_is_away(world: World, council: FakeRunner) -> None:
    await world.apply(question_body())
    run, _ = await council.take()
    world.nats.kill()
    await world.kubectl("delete", QUESTION)
    world.nats.start()
    await world.await_nothing_left(run)


async def test_a_question_can_be_deleted_while_the_operator_is_away(world: World, council: FakeRunner) -> None:
    await world.apply(question_body("kept"))
    kept, _ = await council.take()
    await world.apply(question_body())
    run, _ = await council.take()
    world.operator.kill()
    await world.kubectl("delete", QUESTION)
    world.operator.start()
    await world.await_nothing_left(run)
    async with world.operators_bus() as bus:
        assert await bus.list_deliberations(kept.namespace) == {kept.deliberation_uid}


async def test_malformed_and_foreign_messages_change_nothing_and_are_counted(world: World, council: FakeRunner) -> None:
    await world.apply(question_body())
    run, task = await council.take()
    async with world.raw_nats() as raw:
        publish = raw.jetstream().publish
        await publish(entry(run, "proposal.0.dev-9.0"), Proposal(seat="dev-9", answer="no").encode())
        await publish(entry(run, "abstention.propose.0.dev-8.0"), b"{broken")
        await publish(entry(run, "ballot.0.dev-0.7"), b'{"kind":"ballot","version":99}')
        await council.finish(run, task)
        await world.wait(QUESTION, "condition=Succeeded")
        before = await world.get("deliberation", "question")
        assert before["status"]["votes"]["counts"] == [{"answer": "true", "seats": 3, "weightMilli": 3000}]
        assert world.operator.metric("council_ledger_entries_rejected_total") == 3
        late = Proposal(seat="dev-0", round=5, answer="no")
        await publish(entry(run, "proposal.5.dev-0.0"), late.encode())
    await world.kubectl("annotate", QUESTION, "look=again")
    world.operator.kill()
    world.operator.start()
    await world.wait(QUESTION, "condition=Succeeded")
    after = await world.get("deliberation", "question")
    assert after["status"] == before["status"]


async def test_a_quorum_above_the_seats_is_told_not_awaited(world: World, council: FakeRunner) -> None:
    assert council
    await world.apply(question_body(quorum=4))
    await world.wait_condition(QUESTION, "Stalled", "True", "InvalidSpec")
    body = await world.get("deliberation", "question")
    (stalled,) = [item for item in body["status"]["conditions"] if item["type"] == "Stalled"]
    assert "spec.quorum is 4" in stalled["message"]
    assert "3 seats" in stalled["message"]


async def test_a_question_with_the_same_name_starts_afresh(world: World, council: FakeRunner) -> None:
    await world.apply(question_body())
    first, task = await council.take()
    await council.finish(first, task)
    await world.wait(QUESTION, "condition=Succeeded")
    await world.kubectl("delete", QUESTION)
    await world.apply(question_body())
    second, task = await council.take()
    assert second.deliberation_uid != first.deliberation_uid
    await council.finish(second, task)
    await world.wait(QUESTION, "condition=Succeeded")


async def test_a_broken_question_does_not_hold_up_its_neighbours(world: World, council: FakeRunner) -> None:
    await world.apply(question_body("broken", quorum=60))
    await world.apply(question_body("orphan", councilRef={"name": "nobody"}))
    await world.apply(question_body())
    run, task = await council.take()
    await council.finish(run, task)
    await world.wait(QUESTION, "condition=Succeeded")


async def test_every_subject_has_a_stream_before_the_first_question(world: World, council: FakeRunner) -> None:
    assert council
    async with world.raw_nats() as raw:
        for stream in streams.ALL:
            info = await raw.jetstream().stream_info(stream.name)
            assert set(stream.subjects) == set(info.config.subjects or ())


async def test_a_finished_question_says_so_to_gitops_tools(world: World, council: FakeRunner) -> None:
    await world.apply(question_body())
    run, task = await council.take()
    body = await world.get("deliberation", "question")
    assert _conditions(json.dumps(body)).get("Stalled") != "True"
    await council.finish(run, task)
    await world.wait(QUESTION, "condition=Ready")
    body = await world.get("deliberation", "question")
    conditions = _conditions(json.dumps(body))
    assert conditions["Succeeded"] == "True"
    assert conditions.get("Reconciling", "False") == "False"
    assert conditions.get("Stalled", "False") == "False"
    assert body["status"]["observedGeneration"] == body["metadata"]["generation"]


def _conditions(text: str) -> dict[str, str]:
    body = json.loads(text)
    return {item["type"]: item["status"] for item in body.get("status", {}).get("conditions", [])}


async def test_the_ledger_of_another_namespace_is_out_of_sight(world: World, council: FakeRunner) -> None:
    await world.apply(question_body())
    run, task = await council.take()
    foreign = Run("elsewhere", run.deliberation_uid)
    async with world.operators_bus() as bus:
        await bus.publish_entry(foreign, Proposal(seat="dev-0", answer="no"))
    await council.finish(run, task)
    await world.wait(QUESTION, "condition=Succeeded")
    body = await world.get("deliberation", "question")
    assert body["status"]["result"]["answer"] == "true"
