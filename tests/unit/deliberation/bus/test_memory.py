"""What the in-memory double lets a test do, beyond what every bus promises (tests/contract/bus)."""

import asyncio

import pytest

from deliberation.bus.memory import MemoryBus
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol import subjects
from deliberation.protocol.entries import Cancel
from deliberation.protocol.health import Heartbeat, ProbeRequest
from deliberation.protocol.subjects import Run

RUN = Run("team", "uid")
RUNNER = "runner-0"


async def test_a_lost_connection_makes_every_call_fail_and_forgets_nothing() -> None:
    bus = MemoryBus()
    await bus.ensure_streams()
    await bus.publish_entry(RUN, Cancel())
    states = [bus.is_connected]
    bus.lose_connection()
    states.append(bus.is_connected)
    for call in (
        bus.ensure_streams(),
        bus.ensure_task_consumer(RUN.namespace, RUNNER),
        bus.publish_entry(RUN, Cancel()),
        bus.read_ledger(RUN),
        bus.read_task(RUN.namespace, RUN.deliberation_uid),
        bus.purge(RUN.namespace, RUN.deliberation_uid),
        bus.take_task(RUN.namespace, RUNNER, 0),
        bus.beat(RUN.namespace, Heartbeat(runner=RUNNER, running=0, seats={})),
        bus.probe(RUN.namespace, RUNNER, ProbeRequest(models=()), 0),
    ):
        with pytest.raises(BusUnavailableError):
            await call
    bus.restore_connection()
    assert [*states, bus.is_connected] == [True, False, True]
    assert len(await bus.read_ledger(RUN)) == 1


async def test_a_task_that_nobody_acknowledges_comes_again_and_progress_holds_it() -> None:
    bus = MemoryBus(ack_wait_seconds=0.2)
    await bus.ensure_task_consumer(RUN.namespace, RUNNER)
    bus.put(subjects.task(RUN, RUNNER), b"")
    delivery = await bus.take_task(RUN.namespace, RUNNER, 0)
    assert delivery
    for _ in range(3):
        assert await bus.take_task(RUN.namespace, RUNNER, 0.1) is None
        await delivery.in_progress()
    again = await bus.take_task(RUN.namespace, RUNNER, 5)
    assert again
    assert again.redelivered == 1
    await delivery.ack()
    assert await bus.take_task(RUN.namespace, RUNNER, 5), "a word about an older delivery changes nothing"


async def test_words_that_do_not_arrive_are_no_error_but_laying_aside_is() -> None:
    bus = MemoryBus(ack_wait_seconds=0.05)
    await bus.ensure_task_consumer(RUN.namespace, RUNNER)
    bus.put(subjects.task(RUN, RUNNER), b"")
    delivery = await bus.take_task(RUN.namespace, RUNNER, 0)
    assert delivery
    bus.lose_connection()
    await delivery.ack()
    await delivery.nak(1)
    await delivery.in_progress()
    with pytest.raises(BusUnavailableError):
        await delivery.lay_aside("Malformed")
    bus.restore_connection()
    assert await bus.take_task(RUN.namespace, RUNNER, 5)


async def test_what_was_laid_aside_can_be_looked_at() -> None:
    bus = MemoryBus()
    await bus.ensure_task_consumer(RUN.namespace, RUNNER)
    bus.put(subjects.task(RUN, RUNNER), b"?")
    delivery = await bus.take_task(RUN.namespace, RUNNER, 0)
    assert delivery
    await delivery.lay_aside("Malformed")
    assert bus.dead == {subjects.dead(RUN, RUNNER): ("Malformed", b"?")}


async def test_a_runner_that_waits_is_woken_by_a_task_given_back() -> None:
    bus = MemoryBus()
    await bus.ensure_task_consumer(RUN.namespace, RUNNER)
    bus.put(subjects.task(RUN, RUNNER), b"")
    delivery = await bus.take_task(RUN.namespace, RUNNER, 0)
    assert delivery
    waiting = asyncio.create_task(bus.take_task(RUN.namespace, RUNNER, 5))
    await asyncio.sleep(0)
    await delivery.nak(0)
    assert await waiting


async def test_an_entry_reaches_only_the_followers_of_its_run() -> None:
    bus = MemoryBus()
    other = Run("team", "uid", 12)
    async with bus.follow_ledger(RUN) as records, bus.follow_ledger(other) as others:
        await bus.publish_entry(other, Cancel())
        await bus.publish_entry(RUN, Cancel())
        assert (await anext(records)).sequence == 2
        assert (await anext(others)).sequence == 1
