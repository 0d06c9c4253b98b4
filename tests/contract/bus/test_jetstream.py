"""What NATS adds to the promises of the bus: servers that die, streams that differ, connections that come late."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from deliberation.api.v1alpha1.council import MAX_SEATS
from deliberation.api.v1alpha1.deliberation import ContextText
from deliberation.bus.jetstream import JetStreamBus, connect
from deliberation.bus.port import BusMisconfiguredError, BusUnavailableError, MessageTooLargeError
from deliberation.protocol import streams, subjects
from deliberation.protocol.entries import Cancel, LedgerRecord, Start
from deliberation.protocol.health import Heartbeat
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import SeatTask
from fakes.nats_server import NatsServer

from .messages import RUNNER, build_task, proposal
from .refusals import REFUSAL_SECONDS, all_refused

pytestmark = pytest.mark.contract

AT_ONCE = 0.05
SOON = 10.0
MIB = 1024 * 1024


@pytest.fixture
async def client(nats_server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(nats_server.url)
    yield client
    await client.close()


async def call_api(client: Client, name: str, body: dict[str, Any]) -> dict[str, Any]:
    reply: dict[str, Any] = json.loads((await client.request(f"$JS.API.{name}", json.dumps(body).encode())).data)
    assert "error" not in reply, reply
    return reply


async def shorten_ack_wait(client: Client, run: Run, nanoseconds: int) -> None:
    durable = streams.build_task_consumer(run.namespace, RUNNER).durable
    info = await call_api(client, f"CONSUMER.INFO.{streams.TASKS.name}.{durable}", {})
    config = {**info["config"], "ack_wait": nanoseconds}
    await call_api(
        client,
        f"CONSUMER.CREATE.{streams.TASKS.name}.{durable}.{config['filter_subject']}",
        {"stream_name": streams.TASKS.name, "config": config},
    )


async def collect(records: AsyncIterator[LedgerRecord], count: int) -> list[LedgerRecord]:
    async with asyncio.timeout(SOON):
        return [await anext(records) for _ in range(count)]


async def wait_for(states: asyncio.Queue[str]) -> str:
    async with asyncio.timeout(SOON):
        return await states.get()


async def test_a_killed_server_loses_nothing_and_followers_go_on(
    nats_server: NatsServer, jetstream: JetStreamBus, run: Run
) -> None:
    watched: list[str] = []
    await jetstream.watch_ledger(lambda _, key: watched.append(key))
    async with jetstream.follow_ledger(run) as records:
        for number in range(3):
            await jetstream.publish_entry(run, proposal(number))
        seen = await collect(records, 3)
        nats_server.kill()
        nats_server.start()
        for number in range(3, 6):
            assert await jetstream.publish_entry(run, proposal(number))
        seen += await collect(records, 3)
    assert tuple(seen) == await jetstream.read_ledger(run)
    assert [record.key for record in seen] == [f"proposal.0.qa-{number}.0" for number in range(6)]
    assert watched == [record.key for record in seen]


async def test_entries_written_while_a_follower_is_cut_off_reach_it_later(
    nats_server: NatsServer, jetstream: JetStreamBus, run: Run
) -> None:
    async with jetstream.follow_ledger(run) as records:
        await jetstream.publish_entry(run, proposal(0))
        await collect(records, 1)
        nats_server.kill()
        nats_server.start()
        other = await connect(nats_server.url, name="other")
        await other.publish_entry(run, proposal(1))
        await other.close()
        assert [record.key for record in await collect(records, 1)] == ["proposal.0.qa-1.0"]


async def test_an_entry_published_without_a_server_is_written_once_when_it_is_back(
    nats_server: NatsServer, jetstream: JetStreamBus, run: Run
) -> None:
    nats_server.kill()
    publishing = asyncio.create_task(jetstream.publish_entry(run, proposal(0)))
    await asyncio.sleep(AT_ONCE)
    nats_server.start()
    assert await publishing
    assert [record.key for record in await jetstream.read_ledger(run)] == ["proposal.0.qa-0.0"]


async def test_a_lost_acknowledgement_is_asked_for_again_and_changes_nothing(
    jetstream: JetStreamBus, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Client.request
    lost: list[Msg] = []

    async def lose_first_answer(self: Client, *args: Any, **options: Any) -> Msg:
        answer = await request(self, *args, **options)
        if not lost:
            lost.append(answer)
            raise TimeoutError
        return answer

    monkeypatch.setattr(Client, "request", lose_first_answer)
    await jetstream.publish_entry(run, proposal(0))
    assert lost
    assert len(await jetstream.read_ledger(run)) == 1


async def test_a_bus_may_be_there_before_its_server(tmp_path: Path, run: Run) -> None:
    server = NatsServer(tmp_path)
    server.start()
    server.kill()
    states: asyncio.Queue[str] = asyncio.Queue()
    bus = await connect(server.url, name="early", patience_seconds=0.2, on_state=states.put_nowait)
    try:
        assert not bus.is_connected
        subscription = await bus.watch_ledger(lambda *_: None)
        for refused in (
            bus.ensure_streams(),
            bus.ensure_task_consumer(run.namespace, RUNNER),
            bus.publish_entry(run, Cancel()),
            bus.read_ledger(run),
            bus.read_task(run.namespace, run.deliberation_uid),
            bus.take_task(run.namespace, RUNNER, AT_ONCE),
            bus.beat(run.namespace, Heartbeat(runner=RUNNER, running=0, seats={})),
            bus.purge(run.namespace, run.deliberation_uid),
        ):
            with pytest.raises(BusUnavailableError, match=rf"NATS at 127.0.0.1:{server.port} cannot be reached: .+"):
                await refused
        async with bus.follow_ledger(run) as records:
            server.start()
            assert await wait_for(states) == "connected"
            patient = await connect(server.url, name="patient", patience_seconds=SOON)
            await patient.ensure_streams()
            await patient.publish_entry(run, Cancel())
            await patient.close()
            assert [record.key for record in await collect(records, 1)] == ["cancel"]
        server.kill()
        assert await wait_for(states) == "disconnected"
        assert not bus.is_connected
        await subscription.stop()
    finally:
        await bus.close()
        server.kill()


async def test_closing_leaves_no_task_behind(jetstream: JetStreamBus, run: Run) -> None:
    before = asyncio.all_tasks()
    await jetstream.watch_ledger(lambda *_: None)
    await jetstream.watch_heartbeats(lambda *_: None)
    async with jetstream.follow_ledger(run) as records:
        await jetstream.publish_entry(run, Cancel())
        await collect(records, 1)
        assert asyncio.all_tasks() - before
    await jetstream.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_task_that_nobody_acknowledges_comes_again_and_progress_holds_it(
    jetstream: JetStreamBus, client: Client, run: Run
) -> None:
    await jetstream.ensure_task_consumer(run.namespace, RUNNER)
    await shorten_ack_wait(client, run, 2_000_000_000)
    await jetstream.publish_task(run, RUNNER, build_task(run))
    delivery = await jetstream.take_task(run.namespace, RUNNER, SOON)
    assert delivery
    for _ in range(4):
        assert await jetstream.take_task(run.namespace, RUNNER, 0.7) is None
        await delivery.in_progress()
    again = await jetstream.take_task(run.namespace, RUNNER, SOON)
    assert again
    assert again.redelivered == 1


async def test_a_task_can_be_acknowledged_after_the_server_died(
    nats_server: NatsServer, jetstream: JetStreamBus, run: Run
) -> None:
    await jetstream.ensure_task_consumer(run.namespace, RUNNER)
    await jetstream.publish_task(run, RUNNER, build_task(run))
    delivery = await jetstream.take_task(run.namespace, RUNNER, SOON)
    assert delivery
    nats_server.kill()
    nats_server.start()
    # What the server knew of a delivery may die with it: then the task comes again as if it were new.
    await delivery.ack()
    again = await jetstream.take_task(run.namespace, RUNNER, 0.2)
    if again:
        await again.ack()
    assert await jetstream.take_task(run.namespace, RUNNER, 0.2) is None


async def test_a_runner_that_waits_learns_at_once_that_the_server_died(
    nats_server: NatsServer, jetstream: JetStreamBus, run: Run
) -> None:
    await jetstream.ensure_task_consumer(run.namespace, RUNNER)
    waiting = asyncio.create_task(jetstream.take_task(run.namespace, RUNNER, 60))
    await asyncio.sleep(AT_ONCE)
    nats_server.kill()
    async with asyncio.timeout(SOON):
        with pytest.raises(BusUnavailableError):
            await waiting


async def test_a_task_laid_aside_is_kept_with_the_reason(jetstream: JetStreamBus, client: Client, run: Run) -> None:
    await jetstream.ensure_task_consumer(run.namespace, RUNNER)
    await jetstream.publish_task(run, RUNNER, build_task(run))
    delivery = await jetstream.take_task(run.namespace, RUNNER, SOON)
    assert delivery
    await delivery.lay_aside("it is\nmalformed")
    kept = await client.jetstream().get_last_msg(streams.DEAD.name, subjects.dead(run, RUNNER))
    assert kept.data == build_task(run).encode()
    assert (kept.headers or {})["Reason"].split() == ["it", "is", "malformed"]


async def test_a_task_whose_runner_dies_each_time_is_laid_aside_even_if_nobody_listened_then(
    jetstream: JetStreamBus, client: Client, run: Run
) -> None:
    await jetstream.ensure_task_consumer(run.namespace, RUNNER)
    await shorten_ack_wait(client, run, 100_000_000)
    await jetstream.publish_task(run, RUNNER, build_task(run))
    for _ in range(streams.TaskConsumer.max_deliver):
        assert await jetstream.take_task(run.namespace, RUNNER, SOON)
    async with asyncio.timeout(SOON):
        while not (await call_api(client, f"STREAM.INFO.{streams.EXHAUSTED.name}", {}))["state"]["messages"]:
            assert await jetstream.take_task(run.namespace, RUNNER, AT_ONCE) is None
    laid_aside: asyncio.Queue[Run] = asyncio.Queue()
    await jetstream.lay_exhausted_aside(laid_aside.put_nowait)
    async with asyncio.timeout(SOON):
        assert await laid_aside.get() == run
    kept = await client.jetstream().get_last_msg(streams.DEAD.name, subjects.dead(run, RUNNER))
    assert kept.data == build_task(run).encode()
    # Whoever listens anew hears of it no more, nor of one that was purged.
    await jetstream.purge(run.namespace, run.deliberation_uid)
    await jetstream.lay_exhausted_aside(laid_aside.put_nowait)
    assert await jetstream.find_dead_letter(run.namespace, run.deliberation_uid) is None
    assert laid_aside.empty()


async def test_streams_are_brought_in_line_and_what_an_administrator_added_stays(
    jetstream: JetStreamBus, client: Client, run: Run
) -> None:
    await jetstream.publish_entry(run, Cancel())
    info = await call_api(client, f"STREAM.INFO.{streams.LEDGER.name}", {})
    changed = {**info["config"], "max_age": 3_600_000_000_000, "max_bytes": 500 * MIB}
    await call_api(client, f"STREAM.UPDATE.{streams.LEDGER.name}", changed)
    await jetstream.ensure_streams()
    await jetstream.ensure_streams()
    info = await call_api(client, f"STREAM.INFO.{streams.LEDGER.name}", {})
    assert info["config"]["max_age"] == streams.LEDGER.max_age_seconds * 1_000_000_000
    assert info["config"]["max_bytes"] == 500 * MIB
    assert len(await jetstream.read_ledger(run)) == 1


@pytest.mark.parametrize(
    "subject",
    [
        subjects.task(Run("team", "uid", 3), RUNNER),
        subjects.dead(Run("team", "uid", 3), RUNNER),
        subjects.dead_letter_of(f"{subjects.PREFIX}.team.task.{RUNNER}.no-run"),
        *(
            subjects.entry(Run("team", "uid"), key)
            for key in (
                "start",
                "proposal.0.qa-0.0",
                "ballot.0.qa-0.1",
                "abstention.judge.0.qa-0.0",
                "cancel",
                "verdict",
            )
        ),
    ],
)
async def test_every_subject_belongs_to_exactly_one_stream(
    jetstream: JetStreamBus, client: Client, subject: str
) -> None:
    assert jetstream.is_connected
    found = await call_api(client, "STREAM.NAMES", {"subject": subject})
    assert len(found["streams"]) == 1


async def test_a_stream_of_somebody_else_in_the_way_is_told(nats_server: NatsServer, client: Client) -> None:
    await client.jetstream().add_stream(name="theirs", subjects=["council.>"])
    bus = await connect(nats_server.url, name="test")
    with pytest.raises(BusMisconfiguredError, match=r"COUNCIL_TASKS cannot be set up: subjects overlap.*another"):
        await bus.ensure_streams()
    await bus.close()


async def test_a_bus_can_be_closed_at_any_moment_while_it_connects(nats_server: NatsServer) -> None:
    """Of these moments one in ten was passed over by nats-py, and the bus went on for ever."""
    for moment in range(40):
        bus = await connect(nats_server.url, name="test")
        await asyncio.sleep(moment * 0.0005)
        async with asyncio.timeout(SOON):
            await bus.close()


async def test_more_replicas_than_servers_are_told(jetstream: JetStreamBus) -> None:
    with pytest.raises(BusMisconfiguredError, match=r"COUNCIL_TASKS cannot be set up: replicas > 1 not supported"):
        await jetstream.ensure_streams(replicas=3)


async def test_a_server_without_jetstream_is_told(tmp_path: Path, run: Run) -> None:
    with NatsServer(tmp_path, {"jetstream": False}) as server:
        bus = await connect(server.url, name="test", patience_seconds=REFUSAL_SECONDS)
        calls = bus.ensure_streams(), bus.publish_entry(run, Cancel()), bus.read_ledger(run)
        await all_refused(*calls, match="is JetStream on, and do its streams exist")
        await bus.close()


async def test_the_largest_task_that_the_schemas_admit_fits(jetstream: JetStreamBus, run: Run) -> None:
    instructions = "\N{PERFORMING ARTS}" * 8192
    seats = tuple(
        SeatTask(id=f"{'m' * 40}-{number}", member="m" * 40, role="R" * 63, model="m" * 40, instructions=instructions)
        for number in range(MAX_SEATS)
    )
    # The API server stores no object of more than 1.5 MiB, whatever the schema admits.
    texts = ["\N{PERFORMING ARTS}" * 65_536] * 6
    task = build_task(
        run,
        seats=seats,
        question=texts[0],
        context=tuple(ContextText(name=f"c{number}", text=text) for number, text in enumerate(texts[1:])),
    )
    assert sum(len(text.encode()) for text in texts) == 1.5 * MIB
    assert await jetstream.publish_task(run, RUNNER, task)
    assert await jetstream.read_task(run.namespace, run.deliberation_uid) == task


async def test_a_server_that_takes_less_refuses_only_what_is_larger(tmp_path: Path, run: Run) -> None:
    with NatsServer(tmp_path, {"max_payload": MIB}) as server:
        bus = await connect(server.url, name="test")
        await bus.ensure_streams()
        with pytest.raises(MessageTooLargeError, match=r"max_payload of nats-server up to 4194304"):
            await bus.publish_task(run, RUNNER, build_task(run, question="x" * MIB))
        assert await bus.publish_task(run, RUNNER, build_task(run, question="x" * (MIB - 4096)))
        await bus.close()


async def test_followers_read_a_ledger_that_was_made_anew(jetstream: JetStreamBus, client: Client, run: Run) -> None:
    async with jetstream.follow_ledger(run) as records:
        for number in range(5):
            await jetstream.publish_entry(run, proposal(number))
        await collect(records, 5)
        await client.jetstream().delete_stream(streams.LEDGER.name)
        await jetstream.ensure_streams()
        await jetstream.publish_entry(run, Start(runner=RUNNER, at_ms=1))
        async with asyncio.timeout(30):
            assert (await anext(records)).key == "start"
