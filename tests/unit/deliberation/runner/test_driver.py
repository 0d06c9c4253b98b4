"""The driver against the in-memory bus, with fake seats and a clock that stands still."""

import asyncio

import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.bus.memory import MemoryBus
from deliberation.engine.asks import Ask
from deliberation.engine.fold import fold
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Cancel, LedgerEntry, Outcome, Proposal, Stage, Suspend
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task
from fakes.fake_clock import FakeClock, settle
from fakes.tasks import build_task
from unit.deliberation.runner.driving import ANSWERS, KEYS, PANEL, RUN, VOTE, build, outcome_of


class CrashingBus(MemoryBus):
    """A memory bus in which whoever writes the n-th entry stops for ever, as if killed; `crashed` says so."""

    def __init__(self, crash_after: int) -> None:
        super().__init__()
        self.writes_left = crash_after
        self.crashed = asyncio.Event()

    async def publish_entry(self, run: Run, entry: LedgerEntry) -> bool:
        written = await super().publish_entry(run, entry)
        self.writes_left -= written
        if written and self.writes_left == 0:
            self.crashed.set()
            await asyncio.Event().wait()
        return written


async def read(bus: MemoryBus, task: Task) -> Standing:
    return fold(task, await bus.read_ledger(RUN))


@pytest.mark.parametrize("task", [VOTE, PANEL], ids=["vote", "panel"])
async def test_a_run_asks_every_seat_once_and_ends_with_a_verdict(task: Task) -> None:
    bus = MemoryBus()
    driver, seats, _ = build(task, bus)
    standing = await driver.run()
    assert outcome_of(standing) is Outcome.SUCCEEDED
    assert {seat: proposal.answer for seat, proposal in standing.proposals.items()} == ANSWERS[task.strategy]
    asked = 3 if task is VOTE else 6
    assert len(seats.calls) == seats.calls.total() == asked
    assert standing.started is not None
    assert standing.started.runner == "runner-1"


async def test_d1_two_runs_in_a_row_both_end() -> None:
    bus = MemoryBus()
    for uid in ("d-1", "d-2"):
        task = build_task(deliberation_uid=uid)
        driver, _, _ = build(task, bus)
        assert outcome_of(await driver.run()) is Outcome.SUCCEEDED


async def test_d2_what_is_expected_comes_from_the_task_alone() -> None:
    bus = MemoryBus()
    await bus.publish_entry(RUN, Proposal(seat="stranger-0", answer="mine"))
    driver, seats, _ = build(PANEL, bus)
    standing = await driver.run()
    assert list(standing.proposals) == ["dev-0", "dev-1", "dev-2"]
    assert standing.rejected == {"Foreign": 1}
    assert seats.calls.total() == 6


@pytest.mark.parametrize(
    ("task", "writes"),
    [*((VOTE, writes) for writes in range(1, 6)), *((PANEL, writes) for writes in range(1, 9))],
    ids=lambda value: value.strategy if isinstance(value, Task) else str(value),
)
async def test_d4_d9_killed_after_any_entry_the_run_ends_alike_and_asks_nobody_twice(task: Task, writes: int) -> None:
    whole = MemoryBus()
    expected = await build(task, whole)[0].run()

    bus = CrashingBus(crash_after=writes)
    driver, first, _ = build(task, bus)
    running = asyncio.create_task(driver.run())
    await bus.crashed.wait()
    in_ledger = {record.key for record in await bus.read_ledger(RUN)}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    driver, second, _ = build(task, bus)
    standing = await driver.run()
    assert standing.proposals == expected.proposals
    assert standing.ballots == expected.ballots
    assert outcome_of(standing) is outcome_of(expected)
    assert not in_ledger & second.calls.keys()
    assert all(count == 1 for count in (first.calls | second.calls).values())


async def test_two_drivers_of_one_run_come_to_one_verdict() -> None:
    bus = MemoryBus()
    drivers = [build(PANEL, bus) for _ in range(2)]
    standings = await asyncio.gather(*(driver.run() for driver, _, _ in drivers))
    verdicts = {standing.verdict for standing in standings}
    assert len(verdicts) == 1
    assert outcome_of(standings[0]) is Outcome.SUCCEEDED


async def test_another_delivery_of_a_finished_run_asks_nobody() -> None:
    bus = MemoryBus()
    before = await build(PANEL, bus)[0].run()
    driver, seats, _ = build(PANEL, bus)
    assert await driver.run() == before
    assert not seats.calls


@pytest.mark.parametrize("answered", range(6))
async def test_cancelled_at_any_moment_it_ends_at_once_and_keeps_what_there_is(answered: int) -> None:
    bus = MemoryBus()
    driver, seats, _ = build(PANEL, bus)
    seats.silent = set(KEYS[answered:])
    running = asyncio.create_task(driver.run())
    await settle()
    await bus.publish_entry(RUN, Cancel())
    standing = await running
    assert outcome_of(standing) is Outcome.CANCELLED
    assert standing.verdict is not None
    assert standing.verdict.counted == KEYS[:answered]
    assert set(seats.cancelled) == seats.calls.keys() & seats.silent
    assert seats.cancelled


@pytest.mark.parametrize("answered", range(6))
async def test_suspended_at_any_moment_it_stops_and_when_resumed_asks_only_for_what_is_missing(answered: int) -> None:
    bus = MemoryBus()
    driver, seats, _ = build(PANEL, bus)
    seats.silent = set(KEYS[answered:])
    running = asyncio.create_task(driver.run())
    await settle()
    await bus.publish_entry(RUN, Suspend())
    standing = await running
    assert (standing.suspended, standing.verdict) == (True, None)
    assert set(seats.cancelled) == seats.calls.keys() & seats.silent
    resumed, seats, _ = build(PANEL.model_copy(update={"resumed": 1}), bus)
    assert outcome_of(await resumed.run()) is Outcome.SUCCEEDED
    assert set(seats.calls) == set(KEYS[answered:])


async def test_another_delivery_of_a_suspended_run_asks_nobody_until_it_is_cancelled() -> None:
    bus = MemoryBus()
    await bus.publish_entry(RUN, Suspend())
    driver, seats, _ = build(PANEL, bus)
    assert (await driver.run()).verdict is None
    await bus.publish_entry(RUN, Cancel())
    driver, seats, _ = build(PANEL, bus)
    assert outcome_of(await driver.run()) is Outcome.CANCELLED
    assert not seats.calls


async def test_cancelled_before_it_began_it_asks_nobody() -> None:
    bus = MemoryBus()
    await bus.publish_entry(RUN, Cancel())
    driver, seats, _ = build(PANEL, bus)
    assert outcome_of(await driver.run()) is Outcome.CANCELLED
    assert not seats.calls


async def test_d6_what_comes_after_the_verdict_changes_nothing() -> None:
    bus = MemoryBus()
    driver, seats, _ = build(PANEL, bus)
    seats.silent = {"proposal.0.dev-2.0"}
    running = asyncio.create_task(driver.run())
    await settle()
    await bus.publish_entry(RUN, Cancel())
    ended = await running
    await bus.publish_entry(RUN, Proposal(seat="dev-2", answer="late"))
    late = await read(bus, PANEL)
    assert (late.proposals, late.verdict) == (ended.proposals, ended.verdict)
    assert late.rejected == {"Late": 1}


async def test_at_the_deadline_silent_seats_abstain_and_their_calls_end() -> None:
    bus = MemoryBus()
    driver, seats, clock = build(VOTE, bus)
    seats.silent = {"proposal.0.dev-1.0"}
    running = asyncio.create_task(driver.run())
    await clock.advance(VOTE.timeout_ms - 1)
    assert not running.done()
    await clock.advance(1)
    standing = await running
    assert outcome_of(standing) is Outcome.SUCCEEDED
    assert standing.abstentions[Ask(Stage.PROPOSE, "dev-1")].reason is AbstentionReason.STAGE_ENDED
    assert seats.cancelled == ["proposal.0.dev-1.0"]


async def test_a_panel_with_its_quorum_leaves_time_for_judging() -> None:
    bus = MemoryBus()
    driver, seats, clock = build(PANEL, bus)
    seats.silent = {"proposal.0.dev-1.0"}
    running = asyncio.create_task(driver.run())
    await clock.advance(PANEL.timeout_ms * 60 // 100)
    standing = await running
    assert outcome_of(standing) is Outcome.SUCCEEDED
    assert [judge for judge, _ in standing.ballots] == ["dev-0", "dev-2"]
    assert seats.cancelled == ["proposal.0.dev-1.0"]


async def test_without_a_quorum_it_times_out_and_keeps_what_there_is() -> None:
    bus = MemoryBus()
    driver, seats, clock = build(PANEL, bus)
    seats.silent = {"proposal.0.dev-1.0", "proposal.0.dev-2.0"}
    running = asyncio.create_task(driver.run())
    await clock.advance(PANEL.timeout_ms)
    standing = await running
    assert outcome_of(standing) is Outcome.TIMED_OUT
    assert list(standing.proposals) == ["dev-0"]


async def test_a_task_that_is_found_after_its_deadline_asks_nobody() -> None:
    bus = MemoryBus()
    clock = FakeClock(PANEL.deadline_ms)
    driver, seats, _ = build(PANEL, bus, clock)
    assert outcome_of(await driver.run()) is Outcome.TIMED_OUT
    assert not seats.calls
