"""One seat against the in-memory bus, with a fake model client."""

import asyncio
import json
from pathlib import Path

import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.bus.memory import MemoryBus
from deliberation.bus.port import MessageTooLargeError
from deliberation.engine.asks import Ask
from deliberation.engine.fold import fold
from deliberation.engine.standing import Standing
from deliberation.protocol.chat import ChatRequest, ModelError, ReadAccess, Reply
from deliberation.protocol.entries import LedgerEntry, Proposal, Stage, Usage
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, Task
from deliberation.runner.clock import Clock
from deliberation.runner.persist import run_of
from deliberation.runner.seat import Seat
from fakes.fake_chat import FakeChat
from fakes.fake_clock import FakeClock, settle
from fakes.tasks import build_task

VOTE = build_task(strategy=ResolvedStrategy.VOTE)
PANEL = build_task()
TRUE = '{"answer": true}'
PROPOSE = Ask(Stage.PROPOSE, "dev-1")


def build(
    tmp_path: Path, bus: MemoryBus | None = None, text: str = '{"answer": true}'
) -> tuple[Seat, MemoryBus, FakeChat]:
    bus = bus or MemoryBus()
    chat = FakeChat(text)
    return Seat(bus, chat, tmp_path, FakeClock()), bus, chat


async def read(bus: MemoryBus, task: Task = VOTE) -> Standing:
    return fold(task, await bus.read_ledger(run_of(task)))


async def test_its_answer_stands_in_the_ledger_with_what_it_cost(tmp_path: Path) -> None:
    seat, bus, chat = build(tmp_path)
    await seat.answer(VOTE, Standing(), PROPOSE)
    proposal = (await read(bus)).proposals["dev-1"]
    assert proposal.answer.lower() in {"true", "yes"}
    assert proposal.usage == chat.usage


async def test_a_judge_writes_a_ballot(tmp_path: Path) -> None:
    seat, bus, chat = build(tmp_path, text="{}")
    proposals = {seat.id: Proposal(seat=seat.id, answer=f"answer of {seat.id}") for seat in PANEL.seats}
    for proposal in proposals.values():
        await bus.publish_entry(run_of(PANEL), proposal)
    await seat.answer(PANEL, Standing(proposals=proposals), Ask(Stage.JUDGE, "dev-1"))
    assert "answer of dev-0" in chat.requests[0].messages[0]["content"]
    assert Ask(Stage.JUDGE, "dev-1") not in (await read(bus, PANEL)).missing


async def test_an_entry_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    seat, bus, _ = build(tmp_path)
    await bus.publish_entry(run_of(VOTE), Proposal(seat="dev-1", answer="false"))
    await seat.answer(VOTE, Standing(), PROPOSE)
    assert (await read(bus)).proposals["dev-1"].answer == "false"


async def test_asked_again_while_it_thinks_it_calls_its_model_once(tmp_path: Path) -> None:
    seat, bus, chat = build(tmp_path)
    chat.pass_on.clear()
    asked = [asyncio.create_task(seat.answer(VOTE, Standing(), PROPOSE)) for _ in range(2)]
    await settle()
    chat.pass_on.set()
    await asyncio.gather(*asked)
    assert len(chat.requests) == 1
    assert (await read(bus)).proposals.keys() == {"dev-1"}


async def test_cancelled_it_aborts_the_call_and_writes_nothing(tmp_path: Path) -> None:
    seat, bus, chat = build(tmp_path)
    chat.pass_on.clear()
    asked = asyncio.create_task(seat.answer(VOTE, Standing(), PROPOSE))
    await settle()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert chat.aborted == 1
    assert not await bus.read_ledger(run_of(VOTE))


async def test_d7_without_a_reply_it_abstains_and_invents_nothing(tmp_path: Path) -> None:
    seat, bus, chat = build(tmp_path)
    chat.error = ModelError(AbstentionReason.MODEL_UNAVAILABLE, "no answer from the model server", Usage(calls=2))
    await seat.answer(VOTE, Standing(), PROPOSE)
    standing = await read(bus)
    abstention = standing.abstentions[Ask(Stage.PROPOSE, "dev-1")]
    assert not standing.proposals
    assert abstention.reason is AbstentionReason.MODEL_UNAVAILABLE
    assert abstention.message == "no answer from the model server"
    assert abstention.usage.calls == 2


async def test_a_missing_key_is_an_abstention_and_no_call(tmp_path: Path) -> None:
    address = ModelAddress(name="small", base_url="http://127.0.0.1:1/v1", model_name="m", api_key_file="keys/api-key")
    task = build_task(strategy=ResolvedStrategy.VOTE, models=(address,))
    seat, bus, chat = build(tmp_path)
    await seat.answer(task, Standing(), PROPOSE)
    assert (await read(bus)).abstentions[Ask(Stage.PROPOSE, "dev-1")].reason is AbstentionReason.SECRET_MISSING
    assert not chat.requests
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "api-key").write_text("secret")
    await seat.answer(task, Standing(), Ask(Stage.PROPOSE, "dev-2"))
    assert chat.keys == ["secret"]


async def test_an_answer_that_was_paid_for_outlives_an_outage_of_the_bus(tmp_path: Path) -> None:
    bus, clock, chat = MemoryBus(), FakeClock(), FakeChat('{"answer": true}')
    seat = Seat(bus, chat, tmp_path, clock)
    bus.lose_connection()
    asked = asyncio.create_task(seat.answer(VOTE, Standing(), PROPOSE))
    await clock.advance(10_000)
    assert not asked.done()
    bus.restore_connection()
    await clock.advance(2_000)
    await asked
    assert len(chat.requests) == 1
    assert (await read(bus)).proposals.keys() == {"dev-1"}


async def test_an_answer_too_large_for_the_bus_is_an_abstention(tmp_path: Path) -> None:
    class SmallBus(MemoryBus):
        async def publish_entry(self, run: Run, entry: LedgerEntry) -> bool:
            if isinstance(entry, Proposal):
                raise MessageTooLargeError
            return await super().publish_entry(run, entry)

    seat, bus, _ = build(tmp_path, SmallBus())
    await seat.answer(VOTE, Standing(), PROPOSE)
    assert (await read(bus)).abstentions[Ask(Stage.PROPOSE, "dev-1")].reason is AbstentionReason.MALFORMED_ANSWER


async def test_a_seat_that_the_task_does_not_have_is_an_error(tmp_path: Path) -> None:
    seat, _, _ = build(tmp_path)
    with pytest.raises(KeyError):
        await seat.answer(VOTE, Standing(), Ask(Stage.PROPOSE, "stranger-0"))


class ChatInTurn(FakeChat):
    """Replies with one text after the other, or raises one of them."""

    def __init__(self, *replies: str | ModelError) -> None:
        super().__init__()
        self._replies = list(replies)

    async def complete(
        self, address: ModelAddress, read_access: ReadAccess, request: ChatRequest, deadline_ms: int, clock: Clock
    ) -> Reply:
        reply = self._replies.pop(0)
        self.error, self.text = (reply, "") if isinstance(reply, ModelError) else (None, reply)
        return await super().complete(address, read_access, request, deadline_ms, clock)


SCORES = {"correctness": 3, "completeness": 4, "clarity": 5}
GOOD_BALLOT = json.dumps({"A": SCORES, "B": SCORES})
JUDGE = Ask(Stage.JUDGE, "dev-1")


async def judge(tmp_path: Path, *replies: str | ModelError) -> tuple[Standing, ChatInTurn]:
    bus, chat = MemoryBus(), ChatInTurn(*replies)
    proposals = [Proposal(seat=f"dev-{index}", answer="x") for index in range(3)]
    for proposal in proposals:
        await bus.publish_entry(run_of(PANEL), proposal)
    await Seat(bus, chat, tmp_path, FakeClock()).answer(PANEL, await read(bus, PANEL), JUDGE)
    return await read(bus, PANEL), chat


async def test_a_ballot_that_cannot_be_read_is_asked_for_once_more(tmp_path: Path) -> None:
    standing, chat = await judge(tmp_path, "All are fine.", GOOD_BALLOT)
    assert standing.ballots["dev-1", 0].usage.calls == 2
    assert len(chat.requests[1].messages) == 3


async def test_a_ballot_that_cannot_be_read_twice_is_an_abstention_that_cost_two_calls(tmp_path: Path) -> None:
    standing, _ = await judge(tmp_path, "All are fine.", "Really.")
    assert standing.abstentions[JUDGE].reason is AbstentionReason.MALFORMED_ANSWER
    assert standing.abstentions[JUDGE].usage.calls == 2


async def test_a_second_call_that_fails_leaves_the_fault_of_the_first(tmp_path: Path) -> None:
    away = ModelError(AbstentionReason.MODEL_UNAVAILABLE, "away", Usage(calls=1))
    standing, _ = await judge(tmp_path, "All are fine.", away)
    assert standing.abstentions[JUDGE].reason is AbstentionReason.MALFORMED_ANSWER
    assert standing.abstentions[JUDGE].usage.calls == 2


async def test_a_call_made_again_says_how_often_it_was_lost(tmp_path: Path) -> None:
    seat, bus, _ = build(tmp_path)
    await seat.answer(VOTE, Standing(), Ask(Stage.PROPOSE, "dev-1", tries=3))
    assert (await read(bus)).proposals["dev-1"].usage.repeated_calls == 2
