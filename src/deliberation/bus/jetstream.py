"""The bus on NATS JetStream."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError

from deliberation.bus import burying, declaring, reading
from deliberation.bus.connection import Connection
from deliberation.bus.delivery import JetStreamDelivery
from deliberation.bus.listening import StandingSubscription, listen, watch
from deliberation.bus.login import Login, NoLogin, Tls
from deliberation.bus.port import BusUnavailableError, Delivery, Subscription
from deliberation.bus.records import build_record, find_task_in
from deliberation.bus.writing import create_once, purge
from deliberation.protocol import streams, subjects
from deliberation.protocol.entries import LedgerEntry, LedgerRecord
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest
from deliberation.protocol.messages import MalformedMessageError, decode
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task

PATIENCE_SECONDS = 5.0


async def connect(
    url: str,
    *,
    login: Login | None = None,
    tls: Tls | None = None,
    name: str,
    patience_seconds: float = PATIENCE_SECONDS,
    on_state: Callable[[str], None] | None = None,
) -> "JetStreamBus":
    """Return a bus that connects now, or as soon as a server answers, and connects again whenever it must.

    Args:
        url: address of the server, such as nats://host:4222, or several with commas between.
        login: who we are, if the server wants to know.
        tls: how the connection is encrypted; without it, as the address says.
        name: how the server's monitoring shows this client.
        patience_seconds: how long a call tries before it raises BusUnavailableError.
        on_state: called with "connected" and "disconnected".
    """
    connection = Connection(
        url,
        login=login or NoLogin(),
        tls=tls,
        name=name,
        patience_seconds=patience_seconds,
        on_state=on_state,
    )
    return JetStreamBus(connection)


class JetStreamBus:
    """Tasks and ledgers in JetStream; heartbeats and probes over core NATS. See `port.Bus`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._subscriptions: list[StandingSubscription] = []

    @property
    def is_connected(self) -> bool:
        """Whether the bus is connected at this moment."""
        return self._connection.is_connected

    async def ensure_streams(self, replicas: int = 1) -> None:
        """Make sure that the streams exist as declared, and that the server can do what we ask of it."""
        await declaring.check_server(self._connection)
        for stream in streams.ALL:
            await declaring.ensure_stream(self._connection, stream, replicas)

    async def ensure_task_consumer(self, namespace: str, runner: str) -> None:
        """Make sure that the durable consumer exists through which `runner` takes its tasks."""
        await declaring.ensure_task_consumer(self._connection, streams.build_task_consumer(namespace, runner))

    async def remove_task_consumer(self, namespace: str, runner: str) -> None:
        """Remove a runner's consumer; nothing happens when there is none. Its tasks stay."""
        await declaring.remove_task_consumer(self._connection, streams.build_task_consumer(namespace, runner))

    async def publish_task(self, run: Run, runner: str, task: Task) -> bool:
        """File the task for `runner`, once."""
        return await create_once(self._connection, subjects.task(run, runner), task.encode())

    async def withdraw_tasks(self, namespace: str, deliberation_uid: str) -> None:
        """Remove every task of a Deliberation, laid aside or not: another may be published. Its ledger stays."""
        await purge(self._connection, streams.TASKS, subjects.tasks_of_deliberation(namespace, deliberation_uid))
        await purge(self._connection, streams.DEAD, subjects.dead_of_deliberation(namespace, deliberation_uid))

    async def publish_entry(self, run: Run, entry: LedgerEntry) -> bool:
        """Write the entry into the run's ledger, once."""
        return await create_once(self._connection, subjects.entry(run, entry.key), entry.encode())

    async def read_task(self, namespace: str, deliberation_uid: str) -> Task | None:
        """Return the Deliberation's latest task, or None when there is none, or none that can be read."""
        wanted = subjects.tasks_of_deliberation(namespace, deliberation_uid)
        message = await reading.find_last(self._connection, streams.TASKS.name, wanted)
        return find_task_in(message.data) if message else None

    async def list_deliberations(self, namespace: str) -> frozenset[str]:
        """Return the uids of all Deliberations in the namespace that have a task."""
        filed = await reading.list_subjects(self._connection, streams.TASKS.name, subjects.tasks_of(namespace))
        return frozenset(run.deliberation_uid for subject in filed if (run := subjects.find_task(subject)))

    async def read_ledger(self, run: Run) -> tuple[LedgerRecord, ...]:
        """Return what the run's ledger holds, in order of writing."""
        messages = await reading.read_all(self._connection, streams.LEDGER.name, subjects.ledger(run))
        return tuple(build_record(message.sequence, message.subject, message.data) for message in messages)

    @asynccontextmanager
    async def follow_ledger(self, run: Run) -> AsyncIterator[AsyncIterator[LedgerRecord]]:
        """Iterate over the run's ledger from its beginning and then live, without end."""
        source = reading.follow(self._connection, streams.LEDGER.name, subjects.ledger(run), from_start=True)
        async with aclosing(source) as messages:
            yield (build_record(message.sequence, message.subject, message.data) async for message in messages)

    async def watch_ledger(self, callback: Callable[[Run, str], None]) -> Subscription:
        """Call back with the run and the key of each entry written from now on, in any namespace."""

        def report(message: reading.StreamMessage) -> None:
            place = subjects.find_entry(message.subject)
            if place is not None:
                callback(*place)

        return await self._keep(
            lambda listening: watch(self._connection, streams.LEDGER.name, subjects.LEDGER, report, listening)
        )

    async def purge(self, namespace: str, deliberation_uid: str) -> None:
        """Remove every task, every ledger entry and every dead letter of a Deliberation."""
        await self.withdraw_tasks(namespace, deliberation_uid)
        await purge(self._connection, streams.LEDGER, subjects.ledger_of_deliberation(namespace, deliberation_uid))

    async def find_dead_letter(self, namespace: str, deliberation_uid: str) -> str | None:
        """Return why the Deliberation's task was laid aside, or None when it was not."""
        return await burying.find_reason(self._connection, namespace, deliberation_uid)

    async def lay_exhausted_aside(self, callback: Callable[[Run], None]) -> Subscription:
        """Lay aside every task that was delivered for the last time in vain, and call back with its run.

        That includes those of the time before; it is said of each once.
        """
        return await self._keep(lambda listening: burying.lay_exhausted_aside(self._connection, callback, listening))

    async def take_task(self, namespace: str, runner: str, timeout_seconds: float) -> Delivery | None:
        """Return the next task of `runner`, waiting at most `timeout_seconds` for one; None when none came."""
        durable = streams.build_task_consumer(namespace, runner).durable
        session = await self._connection.get_session()
        try:
            message = await reading.fetch_next(session, streams.TASKS.name, durable, timeout_seconds)
        except (Error, OSError) as error:
            raise BusUnavailableError(f"No task can be taken through consumer {durable}: {error}") from None
        return JetStreamDelivery(self._connection, message) if message else None

    async def beat(self, namespace: str, heartbeat: Heartbeat) -> None:
        """Say that a runner lives. Nobody is told later who did not listen now."""
        session = await self._connection.get_session()
        try:
            await session.client.publish(subjects.heartbeat(namespace, heartbeat.runner), heartbeat.encode())
        except (Error, OSError) as error:
            raise BusUnavailableError(f"The heartbeat could not be sent: {error}") from None

    async def watch_heartbeats(self, callback: Callable[[str, Heartbeat], None]) -> Subscription:
        """Call back with the namespace and the heartbeat of each runner's beat, in any namespace."""

        def report(message: Msg) -> None:
            place = subjects.find_heartbeat(message.subject)
            if place is not None:
                callback(place[0], decode(Heartbeat, message.data))

        return await self._keep(lambda listening: listen(self._connection, subjects.HEARTBEATS, report, listening))

    async def probe(
        self, namespace: str, runner: str, request: ProbeRequest, timeout_seconds: float
    ) -> ProbeReply | None:
        """Ask `runner` whether it can reach models; None when it does not answer in time."""
        session = await self._connection.get_session()
        try:
            subject = subjects.probe(namespace, runner)
            message = await session.request(subject, request.encode(), timeout_seconds=timeout_seconds)
            return decode(ProbeReply, message.data)
        except (NoRespondersError, TimeoutError, MalformedMessageError):
            return None
        except (Error, OSError) as error:
            raise BusUnavailableError(f"Runner {runner} could not be asked: {error}") from None

    async def serve_probes(
        self, namespace: str, runner: str, answer: Callable[[ProbeRequest], Awaitable[ProbeReply]]
    ) -> Subscription:
        """Answer each probe of `runner`."""
        answering: set[asyncio.Task[None]] = set()

        async def reply(message: Msg) -> None:
            result = await answer(decode(ProbeRequest, message.data))
            with suppress(Error, OSError):
                await message.respond(result.encode())

        def begin(message: Msg) -> None:
            task = asyncio.create_task(reply(message))
            answering.add(task)
            task.add_done_callback(answering.discard)

        subject = subjects.probe(namespace, runner)
        return await self._keep(lambda listening: listen(self._connection, subject, begin, listening))

    async def close(self) -> None:
        """End every subscription and the connection; safe to repeat."""
        for subscription in self._subscriptions:
            await subscription.stop()
        await self._connection.close()

    async def _keep(self, work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> Subscription:
        """Start a subscription, and return it as soon as it listens, or without a connection after a while."""
        subscription = StandingSubscription(work)
        self._subscriptions.append(subscription)
        await subscription.settle()
        return subscription
