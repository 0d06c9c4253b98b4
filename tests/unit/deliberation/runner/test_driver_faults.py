"""Seats that fail, ledgers with rubbish and buses that are away, and how a run ends all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.bus.memory import MemoryBus
from deliberation.bus.port import BusUnavailableError
from deliberation.engine.asks import Ask
from deliberation.engine.standing import Standing
from deliberation.protocol import subjects
from deliberation.protocol.entries import LedgerEntry, LedgerRecord, Outcome, Stage
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import ResolvedStrategy, Task
from deliberation.runner.driver import MAX_TRIES, Driver
from deliberation.runner.persist import GRACE_MS
from fakes.fake_clock import FakeClock, settle
from fakes.fake_seats import FakeSeats
from fakes.tasks import build_task
from unit.deliberation.runner.driving import ANSWERS, KEYS, PANEL, RUN, VOTE, build, outcome_of


async def test_a_seat_that_fails_is_asked_again() -> None:
    bus = MemoryBus()
    driver, seats, _ = build(PANEL, bus)
    seats.faults["proposal.0.dev-1.0"] = [RuntimeError("died")]
    standing = await driver.run()
    assert list(standing.proposals) == ["dev-0", "dev-1", "dev-2"]
    assert seats.calls["proposal.0.dev-1.0"] == 2


async def test_a_seat_that_keeps_failing_abstains_and_its_neighbours_go_on(caplog: pytest.LogCaptureFixture) -> None:
    bus = MemoryBus()
    driver, seats, _ = build(PANEL, bus)
    seats.faults["proposal.0.dev-1.0"] = [RuntimeError("what the user wrote")] * 9
    standing = await driver.run()
    assert outcome_of(standing) is Outcome.SUCCEEDED
    assert seats.calls["proposal.0.dev-1.0"] == MAX_TRIES
    abstention = standing.abstentions[Ask(Stage.PROPOSE, "dev-1")]
    assert abstention.reason is AbstentionReason.INTERNAL_ERROR
    assert "RuntimeError" in abstention.message
    assert "what the user wrote" not in abstention.message + caplog.text


async def test_a_seat_that_fails_after_it_has_written_is_not_asked_again() -> None:
    bus = MemoryBus()

    class SeatsThatDieLate(FakeSeats):
        async def answer(self, task: Task, standing: Standing, ask: Ask) -> None:
            await super().answer(task, standing, ask)
            raise RuntimeError

    seats = SeatsThatDieLate(bus, ANSWERS[PANEL.strategy])
    standing = await Driver(PANEL, "runner-1", bus, seats, FakeClock()).run()
    assert outcome_of(standing) is Outcome.SUCCEEDED
    assert set(seats.calls.values()) == {1}


async def test_losing_the_quorum_ends_the_run_at_once() -> None:
    bus = MemoryBus()
    driver, seats, _ = build(PANEL, bus)
    for seat in ("dev-0", "dev-1"):
        seats.faults[f"proposal.0.{seat}.0"] = [RuntimeError()] * MAX_TRIES
    standing = await driver.run()
    assert outcome_of(standing) is Outcome.NO_QUORUM


async def test_d5_a_malformed_entry_costs_only_the_seat_whose_place_it_takes() -> None:
    bus = MemoryBus()
    bus.put(subjects.entry(RUN, "proposal.0.dev-1.0"), b"no entry")
    driver, seats, _ = build(PANEL, bus)
    standing = await driver.run()
    assert outcome_of(standing) is Outcome.SUCCEEDED
    assert list(standing.proposals) == ["dev-0", "dev-2"]
    assert standing.rejected == {"Malformed": 1}
    assert not seats.calls["proposal.0.dev-1.0"]


async def test_a_ledger_full_of_rubbish_still_ends_the_run_with_a_verdict_in_the_next_free_place() -> None:
    bus = MemoryBus()
    for seat in ("dev-0", "dev-1", "dev-2"):
        bus.put(subjects.entry(RUN, f"proposal.0.{seat}.0"), b"no entry")
        bus.put(subjects.entry(RUN, f"abstention.propose.0.{seat}.0"), b"no entry")
    bus.put(subjects.entry(RUN, "verdict"), b"no entry")
    driver, seats, _ = build(PANEL, bus)
    standing = await driver.run()
    assert outcome_of(standing) is Outcome.NO_QUORUM
    assert (await bus.read_ledger(RUN))[-1].key == "verdict.1"
    assert standing.rejected == {"Malformed": 7}
    assert not seats.calls


async def test_while_the_bus_is_away_the_run_waits_and_then_goes_on() -> None:
    bus = MemoryBus()
    driver, seats, clock = build(VOTE, bus)
    seats.silent = {"proposal.0.dev-0.0", "proposal.0.dev-1.0"}
    running = asyncio.create_task(driver.run())
    await settle()
    bus.lose_connection()
    await clock.advance(VOTE.timeout_ms + 3_000)
    assert not running.done()
    bus.restore_connection()
    await clock.advance(2_000)
    standing = await running
    assert outcome_of(standing) is Outcome.TIMED_OUT
    assert list(standing.proposals) == ["dev-2"]


async def test_a_bus_that_stays_away_ends_the_driver_and_the_next_one_goes_on() -> None:
    bus = MemoryBus()
    driver, seats, clock = build(VOTE, bus)
    seats.silent = {"proposal.0.dev-0.0", "proposal.0.dev-1.0"}
    running = asyncio.create_task(driver.run())
    await settle()
    bus.lose_connection()
    await clock.advance(VOTE.timeout_ms + GRACE_MS + 10_000)
    with pytest.raises(BusUnavailableError):
        await running
    bus.restore_connection()
    driver, again, _ = build(VOTE, bus, clock)
    assert outcome_of(await driver.run()) is Outcome.TIMED_OUT
    assert not again.calls


async def test_a_seat_that_fails_while_the_bus_is_away_is_asked_again() -> None:
    bus = MemoryBus()

    class SeatsThatFailInAnOutage(FakeSeats):
        async def answer(self, task: Task, standing: Standing, ask: Ask) -> None:
            if bus.is_connected:
                bus.lose_connection()
                raise RuntimeError
            bus.restore_connection()
            await super().answer(task, standing, ask)

    seats = SeatsThatFailInAnOutage(bus, ANSWERS[VOTE.strategy])
    standing = await Driver(build_task(1, ResolvedStrategy.VOTE), "runner-1", bus, seats, FakeClock()).run()
    assert outcome_of(standing) is Outcome.SUCCEEDED
    assert list(standing.proposals) == ["dev-0"]


async def test_a_ledger_that_stops_is_a_fault_of_the_bus_and_not_an_endless_wait() -> None:
    class BusThatStops(MemoryBus):
        @asynccontextmanager
        async def follow_ledger(self, run: Run) -> AsyncIterator[AsyncIterator[LedgerRecord]]:
            del run

            async def nothing() -> AsyncIterator[LedgerRecord]:
                return
                yield

            yield nothing()

    driver, seats, _ = build(PANEL, BusThatStops())
    seats.silent = set(KEYS)
    with pytest.raises(BusUnavailableError):
        await driver.run()


async def test_a_run_that_is_taken_up_in_an_outage_begins_when_the_bus_is_back() -> None:
    bus = MemoryBus()
    driver, seats, clock = build(VOTE, bus)
    bus.lose_connection()
    running = asyncio.create_task(driver.run())
    await clock.advance(30_000)
    assert not seats.calls
    bus.restore_connection()
    await clock.advance(2_000)
    assert outcome_of(await running) is Outcome.SUCCEEDED


async def test_a_start_whose_confirmation_was_lost_is_no_reason_to_count_calls_as_repeated() -> None:
    class BusThatLosesConfirmations(MemoryBus):
        async def publish_entry(self, run: Run, entry: LedgerEntry) -> bool:
            await super().publish_entry(run, entry)
            return await super().publish_entry(run, entry)

    bus = BusThatLosesConfirmations()
    driver, _, _ = build(PANEL, bus)
    standing = await driver.run()
    assert standing.starts == 2, "one for each stage"
