"""The bus of a NATS of our own: an account for each namespace, with streams, connection and watchers of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from deliberation.bus.connection import Connection
from deliberation.bus.declaring import check_server
from deliberation.bus.jetstream import PATIENCE_SECONDS, JetStreamBus, connect
from deliberation.bus.login import CredentialsLogin, Tls
from deliberation.bus.port import BusMisconfiguredError, Delivery, Subscription
from deliberation.protocol.authority import Authority
from deliberation.protocol.entries import LedgerEntry, LedgerRecord
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest
from deliberation.protocol.permissions import OPERATOR_USER
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task

_UPDATE_ACCOUNT = "$SYS.REQ.CLAIMS.UPDATE"


async def connect_namespaced(
    url: str,
    authority: Authority,
    *,
    tls: Tls | None = None,
    name: str,
    patience_seconds: float = PATIENCE_SECONDS,
    on_state: Callable[[str], None] | None = None,
) -> "NamespacedBus":
    """Return a bus for the operator that makes each namespace's account when it is first asked for.

    Args:
        url: address of the server, such as nats://host:4222, or several with commas between.
        authority: signs accounts and users; the server must have been given its `server_settings`.
        tls: how connections are encrypted; without it, as the address says.
        name: how the server's monitoring shows our clients.
        patience_seconds: how long a call tries before it raises BusUnavailableError.
        on_state: called with "connected" and "disconnected" when that changes for any namespace.
    """
    return NamespacedBus(url, authority, tls, name, patience_seconds, on_state or (lambda _: None))


@dataclass
class _Watch:
    """A subscription in every namespace, also in those to come."""

    start: Callable[[JetStreamBus], Awaitable[Subscription]]
    started: list[Subscription] = field(default_factory=list)

    async def attach(self, bus: JetStreamBus) -> None:
        self.started.append(await self.start(bus))

    async def stop(self) -> None:
        """End it everywhere; safe to repeat."""
        for subscription in self.started:
            await subscription.stop()


class NamespacedBus:
    """Tasks and ledgers of each namespace in an account of its own. See `port.Bus`."""

    def __init__(
        self,
        url: str,
        authority: Authority,
        tls: Tls | None,
        name: str,
        patience_seconds: float,
        on_state: Callable[[str], None],
    ) -> None:
        self._url = url
        self._authority = authority
        self._tls = tls
        self._name = name
        self._patience_seconds = patience_seconds
        self._on_state = on_state
        self._replicas = 1
        self._buses: dict[str, asyncio.Task[JetStreamBus]] = {}
        self._watches: list[_Watch] = []
        self._system = Connection(
            url,
            login=CredentialsLogin("system", authority.system()),
            tls=tls,
            name=name,
            patience_seconds=patience_seconds,
            on_state=on_state,
        )

    @property
    def is_connected(self) -> bool:
        """Whether the server is there and trusts us."""
        return self._system.is_connected

    async def ensure_streams(self, replicas: int = 1) -> None:
        """Make sure of the account and the streams of each namespace that was asked for; a new server knows none."""
        self._replicas = replicas
        await check_server(self._system)
        for namespace, bus in self._open():
            await self._admit(namespace)
            await bus.ensure_streams(replicas)

    async def ensure_task_consumer(self, namespace: str, runner: str) -> None:
        """Make sure that the durable consumer exists through which `runner` takes its tasks."""
        await (await self._of(namespace)).ensure_task_consumer(namespace, runner)

    async def remove_task_consumer(self, namespace: str, runner: str) -> None:
        """Remove a runner's consumer; nothing happens when there is none. Its tasks stay."""
        await (await self._of(namespace)).remove_task_consumer(namespace, runner)

    async def publish_task(self, run: Run, runner: str, task: Task) -> bool:
        """File the task for `runner`, once."""
        return await (await self._of(run.namespace)).publish_task(run, runner, task)

    async def publish_entry(self, run: Run, entry: LedgerEntry) -> bool:
        """Write the entry into the run's ledger, once."""
        return await (await self._of(run.namespace)).publish_entry(run, entry)

    async def read_task(self, namespace: str, deliberation_uid: str) -> Task | None:
        """Return the Deliberation's latest task, or None when there is none, or none that can be read."""
        return await (await self._of(namespace)).read_task(namespace, deliberation_uid)

    async def list_deliberations(self, namespace: str) -> frozenset[str]:
        """Return the uids of all Deliberations in the namespace that have a task."""
        return await (await self._of(namespace)).list_deliberations(namespace)

    async def read_ledger(self, run: Run) -> tuple[LedgerRecord, ...]:
        """Return what the run's ledger holds, in order of writing."""
        return await (await self._of(run.namespace)).read_ledger(run)

    @asynccontextmanager
    async def follow_ledger(self, run: Run) -> AsyncIterator[AsyncIterator[LedgerRecord]]:
        """Iterate over the run's ledger from its beginning and then live, without end."""
        async with (await self._of(run.namespace)).follow_ledger(run) as records:
            yield records

    async def watch_ledger(self, callback: Callable[[Run, str], None]) -> Subscription:
        """Call back with the run and the key of each entry written from now on, in any namespace."""
        return await self._watch(lambda bus: bus.watch_ledger(callback))

    async def purge(self, namespace: str, deliberation_uid: str) -> None:
        """Remove every message of a Deliberation."""
        await (await self._of(namespace)).purge(namespace, deliberation_uid)

    async def withdraw_tasks(self, namespace: str, deliberation_uid: str) -> None:
        """Remove every task of a Deliberation, laid aside or not: another may be published. Its ledger stays."""
        await (await self._of(namespace)).withdraw_tasks(namespace, deliberation_uid)

    async def find_dead_letter(self, namespace: str, deliberation_uid: str) -> str | None:
        """Return why the Deliberation's task was laid aside, or None when it was not."""
        return await (await self._of(namespace)).find_dead_letter(namespace, deliberation_uid)

    async def lay_exhausted_aside(self, callback: Callable[[Run], None]) -> Subscription:
        """Lay aside every task that was delivered for the last time in vain, and call back with its run.

        That includes those of the time before; it is said of each once.
        """
        return await self._watch(lambda bus: bus.lay_exhausted_aside(callback))

    async def take_task(self, namespace: str, runner: str, timeout_seconds: float) -> Delivery | None:
        """Return the next task of `runner`, waiting at most `timeout_seconds` for one; None when none came."""
        return await (await self._of(namespace)).take_task(namespace, runner, timeout_seconds)

    async def beat(self, namespace: str, heartbeat: Heartbeat) -> None:
        """Say that a runner lives. Nobody is told later who did not listen now."""
        await (await self._of(namespace)).beat(namespace, heartbeat)

    async def watch_heartbeats(self, callback: Callable[[str, Heartbeat], None]) -> Subscription:
        """Call back with the namespace and the heartbeat of each runner's beat, in any namespace."""
        return await self._watch(lambda bus: bus.watch_heartbeats(callback))

    async def probe(
        self, namespace: str, runner: str, request: ProbeRequest, timeout_seconds: float
    ) -> ProbeReply | None:
        """Ask `runner` whether it can reach models; None when it does not answer in time."""
        return await (await self._of(namespace)).probe(namespace, runner, request, timeout_seconds)

    async def serve_probes(
        self, namespace: str, runner: str, answer: Callable[[ProbeRequest], Awaitable[ProbeReply]]
    ) -> Subscription:
        """Answer each probe of `runner`."""
        return await (await self._of(namespace)).serve_probes(namespace, runner, answer)

    async def close(self) -> None:
        """End every subscription and every connection; safe to repeat."""
        opening = tuple(self._buses.values())
        for one in opening:
            one.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        for _, bus in self._open():
            await bus.close()
        await self._system.close()

    async def _of(self, namespace: str) -> JetStreamBus:
        """Return the bus of a namespace, which is made when it is first asked for.

        Raises:
            BusUnavailableError: the server could not be asked to make it.
        """
        opening = self._buses.get(namespace)
        if opening is None:
            opening = self._buses[namespace] = asyncio.create_task(self._make(namespace))
            opening.add_done_callback(lambda done: self._forget_if_failed(namespace, done))
        return await asyncio.shield(opening)

    async def _make(self, namespace: str) -> JetStreamBus:
        await self._admit(namespace)
        bus = await connect(
            self._url,
            login=CredentialsLogin(OPERATOR_USER, self._authority.operator(namespace)),
            tls=self._tls,
            name=f"{self._name}/{namespace}",
            patience_seconds=self._patience_seconds,
            on_state=lambda state: self._tell(namespace, state),
        )
        try:
            await bus.ensure_streams(self._replicas)
            for watch in self._watches:
                await watch.attach(bus)
        except BaseException:
            await bus.close()
            raise
        return bus

    async def _admit(self, namespace: str) -> None:
        """Make the account of a namespace, or bring it in line.

        Raises:
            BusMisconfiguredError: the server refuses it.
            BusUnavailableError: the server did not answer in time.
        """
        message = await self._system.ask(_UPDATE_ACCOUNT, self._authority.account_token(namespace).encode())
        error = json.loads(message.data).get("error")
        if error:
            raise BusMisconfiguredError(
                f"NATS refuses an account for namespace {namespace}: {error.get('description')}; restart it, if its "
                "configuration has changed"
            )

    async def _watch(self, start: Callable[[JetStreamBus], Awaitable[Subscription]]) -> Subscription:
        watch = _Watch(start)
        self._watches.append(watch)
        for _, bus in self._open():
            await watch.attach(bus)
        return watch

    def _open(self) -> list[tuple[str, JetStreamBus]]:
        """Return the namespaces whose buses are made."""
        return [(namespace, one.result()) for namespace, one in self._buses.items() if one.done() and _is_made(one)]

    def _tell(self, namespace: str, state: str) -> None:
        """Pass on that a connection came or went, but for the first one of a namespace: somebody waits for that."""
        if self._buses[namespace].done():
            self._on_state(state)

    def _forget_if_failed(self, namespace: str, opening: asyncio.Task[JetStreamBus]) -> None:
        """Let the next call try anew."""
        if not _is_made(opening):
            del self._buses[namespace]


def _is_made(opening: asyncio.Task[JetStreamBus]) -> bool:
    return not opening.cancelled() and opening.exception() is None
