"""What every bus promises, whatever carries it."""

import asyncio

import pytest

from deliberation.bus.port import Bus, BusUnavailableError, Delivery, MessageTooLargeError
from deliberation.protocol import streams, subjects
from deliberation.protocol.entries import Cancel, Start
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest, ProbeResult
from deliberation.protocol.subjects import Run

from .conftest import Stage
from .messages import PROBE, RUNNER, build_task, proposal

pytestmark = pytest.mark.contract

AT_ONCE = 0.05
SOON = 5.0


async def take(bus: Bus, run: Run, runner: str = RUNNER) -> Delivery:
    delivery = await bus.take_task(run.namespace, runner, SOON)
    assert delivery is not None
    return delivery


async def test_an_entry_is_written_once_and_the_first_one_stays(bus: Bus, run: Run) -> None:
    first, second = Start(runner="first", at_ms=1), Start(runner="second", at_ms=2)
    assert await bus.publish_entry(run, first)
    assert not await bus.publish_entry(run, second)
    (record,) = await bus.read_ledger(run)
    assert (record.key, record.entry) == ("start", first)


async def test_of_many_writers_of_one_place_exactly_one_succeeds(bus: Bus, run: Run) -> None:
    entries = [proposal(0).model_copy(update={"answer": str(number)}) for number in range(8)]
    written = await asyncio.gather(*(bus.publish_entry(run, entry) for entry in entries))
    assert sum(written) == 1
    (record,) = await bus.read_ledger(run)
    assert record.entry == entries[written.index(True)]


async def test_a_ledger_comes_in_order_and_alone(bus: Bus, run: Run) -> None:
    other_attempt = Run(run.namespace, run.deliberation_uid, 2)
    for number in range(300):
        await bus.publish_entry(run, proposal(number))
    await bus.publish_entry(other_attempt, proposal(0))
    await bus.publish_entry(run, Cancel())
    records = await bus.read_ledger(run)
    assert [record.key for record in records] == [proposal(number).key for number in range(300)] + ["cancel"]
    assert [record.sequence for record in records] == sorted({record.sequence for record in records})
    assert len(await bus.read_ledger(other_attempt)) == 1


async def test_a_ledger_without_entries_is_empty(bus: Bus, run: Run) -> None:
    assert await bus.read_ledger(run) == ()


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"null", b'{"version":2,"kind":"cancel"}', b'{"kind":"unknown"}'])
async def test_a_malformed_entry_is_a_record_without_an_entry(stage: Stage, run: Run, data: bytes) -> None:
    await stage.put(subjects.entry(run, "proposal.0.qa-0.0"), data)
    (record,) = await stage.bus.read_ledger(run)
    assert (record.key, record.entry) == ("proposal.0.qa-0.0", None)
    async with stage.bus.follow_ledger(run) as records:
        async with asyncio.timeout(SOON):
            assert await anext(records) == record


async def test_an_entry_under_a_foreign_key_is_reported_under_that_key(stage: Stage, run: Run) -> None:
    await stage.put(subjects.entry(run, "verdict"), Cancel().encode())
    (record,) = await stage.bus.read_ledger(run)
    assert (record.key, record.entry) == ("verdict", Cancel())


async def test_following_gives_the_past_and_then_what_comes(bus: Bus, run: Run) -> None:
    for number in range(3):
        await bus.publish_entry(run, proposal(number))
    seen = []
    async with bus.follow_ledger(run) as records, asyncio.timeout(SOON):
        async for record in records:
            seen.append(record)
            if len(seen) <= 3:
                await bus.publish_entry(run, proposal(len(seen) + 2))
            if len(seen) == 6:
                break
    assert tuple(seen) == await bus.read_ledger(run)
    assert [record.entry for record in seen] == [proposal(number) for number in range(6)]


async def test_watching_reports_new_entries_of_every_namespace_and_no_old_ones(bus: Bus, run: Run) -> None:
    other = Run(f"{run.namespace}-b", run.deliberation_uid, 3)
    await bus.publish_entry(run, proposal(0))
    seen: asyncio.Queue[tuple[Run, str]] = asyncio.Queue()
    subscription = await bus.watch_ledger(lambda *place: seen.put_nowait(place))
    await bus.publish_entry(run, proposal(1))
    await bus.publish_entry(other, Cancel())
    async with asyncio.timeout(SOON):
        assert [await seen.get(), await seen.get()] == [(run, "proposal.0.qa-1.0"), (other, "cancel")]
    await subscription.stop()
    await subscription.stop()
    await bus.publish_entry(run, proposal(2))
    assert seen.empty()


async def test_a_watcher_that_fails_is_called_again(bus: Bus, run: Run) -> None:
    seen: asyncio.Queue[str] = asyncio.Queue()

    def fail(_: Run, key: str) -> None:
        seen.put_nowait(key)
        raise RuntimeError("a fault of the watcher")

    await bus.watch_ledger(fail)
    await bus.publish_entry(run, proposal(0))
    await bus.publish_entry(run, proposal(1))
    async with asyncio.timeout(SOON):
        assert [await seen.get(), await seen.get()] == ["proposal.0.qa-0.0", "proposal.0.qa-1.0"]


async def test_the_latest_task_of_a_deliberation_can_be_read(bus: Bus, run: Run) -> None:
    second = Run(run.namespace, run.deliberation_uid, 2)
    assert await bus.read_task(run.namespace, run.deliberation_uid) is None
    assert await bus.publish_task(run, RUNNER, build_task(run))
    assert not await bus.publish_task(run, RUNNER, build_task(run, question="Another?"))
    assert await bus.read_task(run.namespace, run.deliberation_uid) == build_task(run)
    await bus.publish_task(second, "runner-other", build_task(second))
    assert await bus.read_task(run.namespace, run.deliberation_uid) == build_task(second)
    assert await bus.read_task(f"{run.namespace}-b", run.deliberation_uid) is None


async def test_the_deliberations_of_a_namespace_are_those_with_a_task(bus: Bus, run: Run) -> None:
    other = Run(run.namespace, f"{run.deliberation_uid}-b", 2)
    assert await bus.list_deliberations(run.namespace) == set()
    await bus.publish_task(run, RUNNER, build_task(run))
    await bus.publish_task(other, "runner-other", build_task(other))
    assert await bus.list_deliberations(run.namespace) == {run.deliberation_uid, other.deliberation_uid}
    assert await bus.list_deliberations(f"{run.namespace}-b") == set()
    await bus.purge(run.namespace, run.deliberation_uid)
    assert await bus.list_deliberations(run.namespace) == {other.deliberation_uid}


async def test_a_task_goes_to_its_runner_until_acknowledged(bus: Bus, run: Run) -> None:
    for runner in (RUNNER, "runner-other"):
        await bus.ensure_task_consumer(run.namespace, runner)
        await bus.ensure_task_consumer(run.namespace, runner)
    await bus.publish_task(run, RUNNER, build_task(run))
    assert await bus.take_task(run.namespace, "runner-other", AT_ONCE) is None
    delivery = await take(bus, run)
    assert (delivery.task, delivery.run, delivery.redelivered) == (build_task(run), run, 0)
    assert await bus.take_task(run.namespace, RUNNER, AT_ONCE) is None
    await delivery.in_progress()
    await delivery.ack()
    assert await bus.take_task(run.namespace, RUNNER, AT_ONCE) is None


async def test_a_task_reaches_a_runner_that_waits(bus: Bus, run: Run) -> None:
    await bus.ensure_task_consumer(run.namespace, RUNNER)
    waiting = asyncio.create_task(take(bus, run))
    await asyncio.sleep(AT_ONCE)
    await bus.publish_task(run, RUNNER, build_task(run))
    assert (await waiting).run == run


async def test_a_task_given_back_comes_again_after_the_delay_and_at_most_four_times(bus: Bus, run: Run) -> None:
    await bus.ensure_task_consumer(run.namespace, RUNNER)
    await bus.publish_task(run, RUNNER, build_task(run))
    begin = asyncio.get_running_loop().time()
    for number in range(streams.TaskConsumer.max_deliver):
        delivery = await take(bus, run)
        assert delivery.redelivered == number
        assert delivery.is_last == (number == streams.TaskConsumer.max_deliver - 1)
        await delivery.nak(0.2)
    assert asyncio.get_running_loop().time() - begin >= 0.2 * (streams.TaskConsumer.max_deliver - 1)
    assert await bus.take_task(run.namespace, RUNNER, 0.4) is None


async def test_a_task_laid_aside_never_comes_again(bus: Bus, run: Run) -> None:
    await bus.ensure_task_consumer(run.namespace, RUNNER)
    await bus.publish_task(run, RUNNER, build_task(run))
    delivery = await take(bus, run)
    await delivery.lay_aside("three runners died of it")
    await delivery.lay_aside("three runners died of it")
    assert await bus.take_task(run.namespace, RUNNER, AT_ONCE) is None


async def test_a_malformed_task_is_delivered_as_such(stage: Stage, run: Run) -> None:
    await stage.bus.ensure_task_consumer(run.namespace, RUNNER)
    await stage.put(subjects.task(run, RUNNER), b'{"version":9}')
    await stage.put(f"{subjects.PREFIX}.{run.namespace}.task.{RUNNER}.no-run", b"")
    for expected in (run, None):
        delivery = await take(stage.bus, run)
        assert (delivery.task, delivery.run) == (None, expected)
        await delivery.lay_aside("malformed")
    assert await stage.bus.read_task(run.namespace, run.deliberation_uid) is None


async def test_no_task_can_be_taken_before_the_consumer_exists(bus: Bus, run: Run) -> None:
    with pytest.raises(BusUnavailableError, match=r"consumer.*exist"):
        await bus.take_task(run.namespace, RUNNER, SOON)


async def test_a_runner_whose_consumer_was_removed_takes_nothing_until_it_is_made_again(bus: Bus, run: Run) -> None:
    await bus.remove_task_consumer(run.namespace, RUNNER)
    await bus.ensure_task_consumer(run.namespace, RUNNER)
    await bus.publish_task(run, RUNNER, build_task(run))
    await bus.remove_task_consumer(run.namespace, RUNNER)
    with pytest.raises(BusUnavailableError, match="consumer"):
        await bus.take_task(run.namespace, RUNNER, SOON)
    await bus.ensure_task_consumer(run.namespace, RUNNER)
    assert (await take(bus, run)).run == run


async def test_purging_removes_one_deliberation_and_no_other(bus: Bus, run: Run) -> None:
    other = Run(run.namespace, f"{run.deliberation_uid}-b")
    for each in (run, other):
        await bus.publish_task(each, RUNNER, build_task(each))
        await bus.publish_entry(each, Cancel())
    await bus.purge(run.namespace, run.deliberation_uid)
    await bus.purge(run.namespace, run.deliberation_uid)
    assert await bus.read_task(run.namespace, run.deliberation_uid) is None
    assert await bus.read_ledger(run) == ()
    assert await bus.read_task(other.namespace, other.deliberation_uid) == build_task(other)
    assert len(await bus.read_ledger(other)) == 1
    assert await bus.publish_entry(run, Cancel()), "what was purged may be written again"


async def test_a_task_purged_while_in_work_can_still_be_acknowledged(bus: Bus, run: Run) -> None:
    await bus.ensure_task_consumer(run.namespace, RUNNER)
    await bus.publish_task(run, RUNNER, build_task(run))
    delivery = await take(bus, run)
    await bus.purge(run.namespace, run.deliberation_uid)
    await delivery.ack()


async def test_a_poison_task_is_laid_aside_after_its_last_delivery_and_holds_nobody_up(bus: Bus, run: Run) -> None:
    laid_aside: asyncio.Queue[Run] = asyncio.Queue()

    def note(found: Run) -> None:
        if found.namespace == run.namespace:  # the server is shared, and tells of what other tests left
            laid_aside.put_nowait(found)

    await bus.ensure_task_consumer(run.namespace, RUNNER)
    subscription = await bus.lay_exhausted_aside(note)
    good = Run(run.namespace, f"{run.deliberation_uid}-good")
    await bus.publish_task(run, RUNNER, build_task(run))
    for number in range(streams.TaskConsumer.max_deliver):
        assert await bus.find_dead_letter(run.namespace, run.deliberation_uid) is None
        delivery = await take(bus, run)
        assert (delivery.run, delivery.redelivered) == (run, number)
        await delivery.nak(0)
    await bus.publish_task(good, RUNNER, build_task(good))
    assert (await take(bus, run)).run == good
    assert await bus.take_task(run.namespace, RUNNER, AT_ONCE) is None
    async with asyncio.timeout(SOON):
        assert await laid_aside.get() == run
    assert await bus.find_dead_letter(run.namespace, run.deliberation_uid) == streams.RETRIED_IN_VAIN
    assert await bus.find_dead_letter(run.namespace, good.deliberation_uid) is None
    await bus.purge(run.namespace, run.deliberation_uid)
    assert await bus.find_dead_letter(run.namespace, run.deliberation_uid) is None
    await subscription.stop()


async def test_a_task_that_a_runner_lays_aside_tells_why_until_it_is_purged(bus: Bus, run: Run) -> None:
    await bus.ensure_task_consumer(run.namespace, RUNNER)
    await bus.publish_task(run, RUNNER, build_task(run))
    await (await take(bus, run)).lay_aside("Malformed")
    assert await bus.find_dead_letter(run.namespace, run.deliberation_uid) == "Malformed"
    await bus.purge(run.namespace, run.deliberation_uid)
    assert await bus.find_dead_letter(run.namespace, run.deliberation_uid) is None


async def test_a_task_published_anew_is_not_among_the_dead(bus: Bus, run: Run) -> None:
    await bus.ensure_task_consumer(run.namespace, RUNNER)
    await bus.publish_task(run, RUNNER, build_task(run))
    await (await take(bus, run)).lay_aside("Malformed")
    await bus.withdraw_tasks(run.namespace, run.deliberation_uid)
    assert await bus.publish_task(run, RUNNER, build_task(run))
    assert await bus.find_dead_letter(run.namespace, run.deliberation_uid) is None
    await (await take(bus, run)).lay_aside("again")
    assert await bus.find_dead_letter(run.namespace, run.deliberation_uid) == "again"


async def test_heartbeats_reach_whoever_watches(bus: Bus, run: Run) -> None:
    seen: asyncio.Queue[tuple[str, Heartbeat]] = asyncio.Queue()

    def see(namespace: str, beat: Heartbeat) -> None:
        if namespace == run.namespace:
            seen.put_nowait((namespace, beat))

    subscription = await bus.watch_heartbeats(see)
    heartbeat = Heartbeat(runner=RUNNER, running=1, seats={"c0ffee": 3})
    await bus.beat(run.namespace, heartbeat)
    async with asyncio.timeout(SOON):
        assert await seen.get() == (run.namespace, heartbeat)
    await subscription.stop()


async def test_a_probe_is_answered_by_its_runner(bus: Bus, run: Run) -> None:
    async def answer(request: ProbeRequest) -> ProbeReply:
        return ProbeReply(results=tuple(ProbeResult(name=model.name) for model in request.models))

    subscription = await bus.serve_probes(run.namespace, RUNNER, answer)
    assert await bus.probe(run.namespace, RUNNER, PROBE, SOON) == ProbeReply(results=(ProbeResult(name="small"),))
    assert await bus.probe(run.namespace, "runner-other", PROBE, AT_ONCE) is None
    await subscription.stop()
    assert await bus.probe(run.namespace, RUNNER, PROBE, AT_ONCE) is None


async def test_a_slow_probe_delays_no_other(bus: Bus, run: Run) -> None:
    asked = 0

    async def answer(request: ProbeRequest) -> ProbeReply:
        nonlocal asked
        asked += 1
        if asked == 1:
            await asyncio.Event().wait()
        return ProbeReply(results=tuple(ProbeResult(name=model.name) for model in request.models))

    await bus.serve_probes(run.namespace, RUNNER, answer)
    slow = asyncio.create_task(bus.probe(run.namespace, RUNNER, PROBE, 0.5))
    await asyncio.sleep(AT_ONCE)
    assert await bus.probe(run.namespace, RUNNER, PROBE, SOON) is not None
    assert await slow is None


async def test_a_message_that_is_too_large_is_refused_and_the_bus_goes_on(bus: Bus, run: Run) -> None:
    too_large = proposal(0).model_copy(update={"answer": "x" * streams.MAX_MESSAGE_BYTES})
    with pytest.raises(MessageTooLargeError, match="bytes"):
        await bus.publish_entry(run, too_large)
    fits = proposal(0).model_copy(update={"answer": "x" * (streams.MAX_MESSAGE_BYTES - 1024)})
    assert await bus.publish_entry(run, fits)
    (record,) = await bus.read_ledger(run)
    assert record.entry == fits


async def test_many_large_entries_can_be_read(bus: Bus, run: Run) -> None:
    for number in range(24):
        await bus.publish_entry(run, proposal(number).model_copy(update={"answer": "x" * 1_000_000}))
    records = await bus.read_ledger(run)
    assert [record.key for record in records] == [f"proposal.0.qa-{number}.0" for number in range(24)]
    async with bus.follow_ledger(run) as following, asyncio.timeout(SOON):
        for record in records:
            assert await anext(following) == record


async def test_a_closed_bus_is_not_connected(bus: Bus) -> None:
    await bus.close()
    await bus.close()
    assert not bus.is_connected
