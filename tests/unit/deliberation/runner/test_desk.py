"""The desk against the in-memory bus, with fake seats."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.bus.memory import MemoryBus
from deliberation.bus.memory_delivery import MemoryDelivery
from deliberation.engine.asks import Ask
from deliberation.engine.fold import fold
from deliberation.engine.standing import Standing
from deliberation.protocol import subjects
from deliberation.protocol.entries import Outcome, Stage, Suspend
from deliberation.protocol.tasks import Task
from deliberation.runner.desk import PROGRESS_MS, UNASKED_MS, Desk
from deliberation.runner.driver import Driver
from deliberation.runner.persist import run_of
from fakes.fake_clock import FakeClock, settle
from fakes.fake_seats import FakeSeats
from fakes.tasks import build_task

RUNNER = "runner-1"


@asynccontextmanager
async def working(bus: MemoryBus, seats: FakeSeats, max_concurrent: int = 8) -> AsyncIterator[Desk]:
    desk = Desk("team", RUNNER, bus, seats, FakeClock(), max_concurrent)
    running = asyncio.create_task(desk.run())
    try:
        yield desk
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def build_bus(ack_wait_seconds: float = 60) -> MemoryBus:
    bus = MemoryBus(ack_wait_seconds=ack_wait_seconds)
    await bus.ensure_task_consumer("team", RUNNER)
    return bus


async def publish(bus: MemoryBus, task: Task) -> None:
    await bus.publish_task(run_of(task), RUNNER, task)


async def read(bus: MemoryBus, task: Task) -> Standing:
    return fold(task, await bus.read_ledger(run_of(task)))


async def is_done(bus: MemoryBus) -> bool:
    """Return whether no task is left that another runner would get."""
    return await bus.take_task("team", RUNNER, 0) is None


async def test_a_task_is_acknowledged_when_its_verdict_is_there() -> None:
    bus = await build_bus(ack_wait_seconds=0)
    seats = FakeSeats(bus)
    task = build_task()
    await publish(bus, task)
    async with working(bus, seats):
        await settle(200)
    assert (await read(bus, task)).verdict
    assert seats.convened == ["d-1"]
    assert await is_done(bus)


async def test_a_run_that_is_resumed_while_it_is_put_away_is_worked_on() -> None:
    bus = await build_bus()
    seats = FakeSeats(bus)
    seats.pass_on.clear()
    task = build_task()
    await publish(bus, task)
    async with working(bus, seats) as desk:
        await settle()
        await bus.withdraw_tasks("team", task.deliberation_uid)
        resumed = task.model_copy(update={"resumed": 1})
        await publish(bus, resumed)
        await settle()
        assert desk.running == 2
        await bus.publish_entry(run_of(task), Suspend())
        seats.pass_on.set()
        await settle(200)
        assert desk.running == 0
    assert (await read(bus, resumed)).verdict


async def test_a_malformed_task_is_laid_aside_and_counted_and_the_next_one_goes_on() -> None:
    bus = await build_bus()
    place = subjects.task(subjects.Run("team", "bad"), RUNNER)
    bus.put(place, b"no task")
    await publish(bus, build_task())
    async with working(bus, FakeSeats(bus), max_concurrent=1) as desk:
        await settle(200)
        assert desk.rejected == {"Malformed": 1}
    assert bus.dead[place.replace(".task.", ".dead.")] == ("Malformed", b"no task")
    assert (await read(bus, build_task())).verdict


async def test_no_more_tasks_are_taken_than_allowed() -> None:
    bus = await build_bus()
    seats = FakeSeats(bus)
    seats.pass_on.clear()
    for index in range(5):
        await publish(bus, build_task(deliberation_uid=f"d-{index}"))
    async with working(bus, seats, max_concurrent=2) as desk:
        await settle()
        assert desk.running == 2
        assert desk.models == {build_task().council_uid: frozenset(build_task().models)}
        seats.pass_on.set()
        await settle(500)
        assert (desk.running, desk.models) == (0, {})
    assert sorted(seats.convened) == [f"d-{index}" for index in range(5)]


async def test_d5_a_task_delivered_again_while_in_work_is_not_started_again() -> None:
    bus = await build_bus(ack_wait_seconds=0)
    seats = FakeSeats(bus)
    seats.pass_on.clear()
    await publish(bus, build_task())
    async with working(bus, seats) as desk:
        await settle()
        seats.pass_on.set()
        await settle(200)
        assert desk.rejected["Duplicate"] == 3
    assert seats.convened == ["d-1"]
    assert set(seats.calls.values()) == {1}
    assert await is_done(bus)


async def test_a_broken_run_is_delivered_again_and_its_neighbour_does_not_notice(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("deliberation.runner.desk.RETRY_MS", 0)
    bus = await build_bus()

    class SeatsThatBreakOnce(FakeSeats):
        def convene(self, task: Task) -> None:
            super().convene(task)
            if self.convened == ["broken"]:
                raise RuntimeError("what the user wrote")

    seats = SeatsThatBreakOnce(bus)
    broken, whole = build_task(deliberation_uid="broken"), build_task(deliberation_uid="whole")
    await publish(bus, broken)
    await publish(bus, whole)
    async with working(bus, seats):
        await settle(300)
        assert (await read(bus, whole)).verdict
        assert (await read(bus, broken)).verdict
    assert seats.convened == ["broken", "whole", "broken"]
    assert "what the user wrote" not in caplog.text


async def test_d7_a_task_delivered_too_often_ends_without_an_answer_and_is_laid_aside() -> None:
    bus = await build_bus(ack_wait_seconds=0)
    task = build_task()
    await publish(bus, task)
    for _ in range(3):
        assert await bus.take_task("team", RUNNER, 0)
    seats = FakeSeats(bus)
    async with working(bus, seats):
        await settle(200)
    standing = await read(bus, task)
    assert standing.verdict is not None
    assert standing.verdict.outcome is Outcome.NO_QUORUM
    assert standing.abstentions[Ask(Stage.PROPOSE, "dev-0")].reason is AbstentionReason.INTERNAL_ERROR
    assert not seats.calls
    assert [reason for reason, _ in bus.dead.values()] == ["DeliveredTooOften"]


async def test_the_last_delivery_of_a_finished_run_is_only_acknowledged() -> None:
    bus = await build_bus(ack_wait_seconds=0)
    task = build_task()
    await publish(bus, task)
    await Driver(task, RUNNER, bus, FakeSeats(bus), FakeClock()).run()
    for _ in range(3):
        assert await bus.take_task("team", RUNNER, 0)
    async with working(bus, FakeSeats(bus)):
        await settle(200)
    assert await is_done(bus)
    assert not bus.dead


async def test_a_runner_that_ends_gives_its_tasks_back_and_aborts_its_calls() -> None:
    bus = await build_bus()
    seats = FakeSeats(bus)
    seats.pass_on.clear()
    task = build_task()
    await publish(bus, task)
    async with working(bus, seats):
        await settle()
    assert sorted(seats.cancelled) == sorted(seats.calls)
    delivery = await bus.take_task("team", RUNNER, 5)
    assert delivery is not None
    assert delivery.redelivered == 1


async def test_while_the_bus_is_away_the_desk_waits() -> None:
    bus = await build_bus()
    bus.lose_connection()
    clock = FakeClock()
    desk = Desk("team", RUNNER, bus, FakeSeats(bus), clock, 8)
    running = asyncio.create_task(desk.run())
    await clock.advance(10_000)
    bus.restore_connection()
    task = build_task(started_at_ms=clock.now_ms())
    await publish(bus, task)
    await clock.advance(3_000)
    assert (await read(bus, task)).verdict
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_while_a_task_is_in_work_the_bus_is_told_even_if_it_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    async def in_progress(delivery: MemoryDelivery) -> None:
        delivery.bus.check_connected()
        told.append(delivery.subject)

    monkeypatch.setattr(MemoryDelivery, "in_progress", in_progress)
    bus, clock = await build_bus(), FakeClock()
    seats = FakeSeats(bus)
    seats.pass_on.clear()
    await publish(bus, build_task(timeout_ms=600_000))
    desk = Desk("team", RUNNER, bus, seats, clock, 1)
    running = asyncio.create_task(desk.run())
    await clock.advance(2 * PROGRESS_MS)
    assert len(told) == 2
    bus.lose_connection()
    await clock.advance(PROGRESS_MS)
    bus.restore_connection()
    await clock.advance(PROGRESS_MS)
    assert len(told) == 3
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def once(bus: MemoryBus, seats: FakeSeats, clock: FakeClock | None = None) -> Desk:
    return Desk("team", RUNNER, bus, seats, clock or FakeClock(), 1)


async def test_a_runner_of_one_task_ends_when_that_is_acknowledged() -> None:
    bus = await build_bus(ack_wait_seconds=0)
    task = build_task()
    await publish(bus, task)
    async with asyncio.timeout(10):
        await once(bus, FakeSeats(bus)).run_once()
    assert (await read(bus, task)).verdict
    assert await is_done(bus)


async def test_a_runner_of_one_task_ends_when_that_is_suspended() -> None:
    bus = await build_bus()
    task = build_task()
    await publish(bus, task)
    await bus.publish_entry(run_of(task), Suspend())
    seats = FakeSeats(bus)
    async with asyncio.timeout(10):
        await once(bus, seats).run_once()
    assert not seats.calls
    assert await is_done(bus)


async def test_a_runner_of_one_task_takes_it_again_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliberation.runner.desk.RETRY_MS", 0)
    bus = await build_bus()

    class SeatsThatBreakOnce(FakeSeats):
        def convene(self, task: Task) -> None:
            super().convene(task)
            if len(self.convened) == 1:
                raise RuntimeError

    seats = SeatsThatBreakOnce(bus)
    task = build_task()
    await publish(bus, task)
    async with asyncio.timeout(10):
        await once(bus, seats).run_once()
    assert len(seats.convened) == 2
    assert (await read(bus, task)).verdict


async def test_a_runner_of_one_task_for_which_there_is_none_ends_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one has seen it off, and was lost before it could end."""
    monkeypatch.setattr("deliberation.runner.desk.TAKE_SECONDS", 0.01)
    bus, clock = await build_bus(), FakeClock()
    running = asyncio.create_task(once(bus, FakeSeats(bus), clock).run_once())
    await clock.advance(UNASKED_MS - 1)
    await asyncio.sleep(0.1)
    assert not running.done()
    await clock.advance(1)
    async with asyncio.timeout(10):
        await running


async def test_a_runner_of_one_task_that_is_ended_gives_it_back() -> None:
    bus = await build_bus()
    seats = FakeSeats(bus)
    seats.pass_on.clear()
    await publish(bus, build_task())
    running = asyncio.create_task(once(bus, seats).run_once())
    await settle()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert sorted(seats.cancelled) == sorted(seats.calls)
    delivery = await bus.take_task("team", RUNNER, 5)
    assert delivery is not None
    assert delivery.redelivered == 1
