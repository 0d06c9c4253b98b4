import asyncio

import pytest

from deliberation.bus.memory import MemoryBus
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol.entries import Cancel
from deliberation.runner.persist import GRACE_MS, persist, run_of
from fakes.fake_clock import FakeClock, settle
from fakes.tasks import build_task

TASK = build_task(timeout_ms=60_000)


async def test_the_first_to_write_a_place_has_it() -> None:
    bus, clock = MemoryBus(), FakeClock()
    assert await persist(bus, TASK, Cancel(), clock)
    assert not await persist(bus, TASK, Cancel(), clock)


async def test_it_writes_as_soon_as_the_bus_is_back() -> None:
    bus, clock = MemoryBus(), FakeClock()
    bus.lose_connection()
    writing = asyncio.create_task(persist(bus, TASK, Cancel(), clock))
    await clock.advance(30_000)
    bus.restore_connection()
    await clock.advance(2_000)
    assert await writing
    assert [record.key for record in await bus.read_ledger(run_of(TASK))] == ["cancel"]


async def test_it_gives_up_when_the_operator_has_taken_the_run_over() -> None:
    bus, clock = MemoryBus(), FakeClock()
    bus.lose_connection()
    writing = asyncio.create_task(persist(bus, TASK, Cancel(), clock))
    await clock.advance(TASK.timeout_ms + GRACE_MS - 3_000)
    await settle()
    assert not writing.done()
    await clock.advance(6_000)
    with pytest.raises(BusUnavailableError):
        await writing
