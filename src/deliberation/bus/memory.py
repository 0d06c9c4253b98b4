"""An in-memory double of the bus: for tests, and for runs within one process. Nothing of it survives the process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from deliberation.bus.memory_delivery import Attempt, MemoryDelivery
from deliberation.bus.port import BusUnavailableError, Delivery, MessageTooLargeError, Subscription
from deliberation.bus.records import build_record, call_back, find_task_in
from deliberation.protocol import streams, subjects
from deliberation.protocol.entries import LedgerEntry, LedgerRecord
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task

Item = TypeVar("Item")


@dataclass
class _Message:
    sequence: int
    subject: str
    data: bytes


@dataclass
class _Subscription:
    end: Callable[[], None]

    async def stop(self) -> None:
        self.end()


class MemoryBus:
    """The bus as one object that everybody of a test or of a process shares.

    `lose_connection` and `restore_connection` make it unreachable and reachable again; `put` files any bytes under any
    subject, as a faulty or hostile writer could; `dead` shows what was laid aside, as (reason, bytes) by subject.
    """

    def __init__(self, *, ack_wait_seconds: float = 60.0) -> None:
        self.ack_wait_seconds = ack_wait_seconds
        self.dead: dict[str, tuple[str, bytes]] = {}
        self._messages: dict[str, _Message] = {}
        self._sequence = 0
        self._consumers: dict[tuple[str, str], dict[str, Attempt]] = {}
        self._followers: list[tuple[str, asyncio.Queue[_Message]]] = []
        self._ledger_watchers: list[Callable[[Run, str], None]] = []
        self._exhausted_watchers: list[Callable[[Run], None]] = []
        self._heartbeat_watchers: list[Callable[[str, Heartbeat], None]] = []
        self._probe_answers: dict[tuple[str, str], Callable[[ProbeRequest], Awaitable[ProbeReply]]] = {}
        self._changed = asyncio.Event()
        self._connected = True

    @property
    def is_connected(self) -> bool:
        """Whether the bus is reachable."""
        return self._connected

    def lose_connection(self) -> None:
        """Make every call raise BusUnavailableError, until `restore_connection`."""
        self._connected = False

    def restore_connection(self) -> None:
        """Make the bus reachable again, with all that it held."""
        self._connected = True

    def check_connected(self) -> None:
        """Raise BusUnavailableError while the connection is lost."""
        if not self._connected:
            raise BusUnavailableError("The in-memory bus was made unreachable")

    def wake(self) -> None:
        """Make everybody who waits for a task look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def put(self, subject: str, data: bytes) -> bool:
        """File `data` under `subject` unless something is there already; return whether it was filed."""
        self.check_connected()
        if len(data) > streams.MAX_MESSAGE_BYTES:
            raise MessageTooLargeError(f"{len(data)} bytes are more than the {streams.MAX_MESSAGE_BYTES} of the bus")
        if subject in self._messages:
            return False
        self._sequence += 1
        message = _Message(self._sequence, subject, data)
        self._messages[subject] = message
        for prefix, queue in self._followers:
            if subject.startswith(prefix):
                queue.put_nowait(message)
        place = subjects.find_entry(subject)
        if place is not None:
            for callback in tuple(self._ledger_watchers):
                call_back(partial(callback, *place), subject)
        self.wake()
        return True

    async def ensure_streams(self, replicas: int = 1) -> None:
        """Do nothing but check the connection: there are no streams to make."""
        del replicas
        self.check_connected()

    async def ensure_task_consumer(self, namespace: str, runner: str) -> None:
        """Make sure that `runner` can take tasks."""
        self.check_connected()
        self._consumers.setdefault((namespace, runner), {})

    async def remove_task_consumer(self, namespace: str, runner: str) -> None:
        """Have `runner` take no more tasks."""
        self.check_connected()
        self._consumers.pop((namespace, runner), None)

    async def publish_task(self, run: Run, runner: str, task: Task) -> bool:
        """File the task for `runner`, once."""
        return self.put(subjects.task(run, runner), task.encode())

    async def publish_entry(self, run: Run, entry: LedgerEntry) -> bool:
        """Write the entry into the run's ledger, once."""
        return self.put(subjects.entry(run, entry.key), entry.encode())

    async def read_task(self, namespace: str, deliberation_uid: str) -> Task | None:
        """Return the Deliberation's latest task."""
        self.check_connected()
        wanted = (namespace, deliberation_uid)
        runs = ((subjects.find_task(message.subject), message) for message in self._messages.values())
        found = [
            message for run, message in runs if run is not None and (run.namespace, run.deliberation_uid) == wanted
        ]
        return find_task_in(found[-1].data) if found else None

    async def list_deliberations(self, namespace: str) -> frozenset[str]:
        """Return the uids of all Deliberations in the namespace that have a task."""
        self.check_connected()
        runs = filter(None, map(subjects.find_task, self._messages))
        return frozenset(run.deliberation_uid for run in runs if run.namespace == namespace)

    async def read_ledger(self, run: Run) -> tuple[LedgerRecord, ...]:
        """Return what the run's ledger holds."""
        self.check_connected()
        return tuple(self._record(message) for message in self._of_ledger(run))

    @asynccontextmanager
    async def follow_ledger(self, run: Run) -> AsyncIterator[AsyncIterator[LedgerRecord]]:
        """Iterate over the run's ledger from its beginning and then live."""
        queue: asyncio.Queue[_Message] = asyncio.Queue()
        for message in self._of_ledger(run):
            queue.put_nowait(message)
        follower = (subjects.entry(run, ""), queue)
        self._followers.append(follower)

        async def records() -> AsyncIterator[LedgerRecord]:
            while True:
                yield self._record(await queue.get())

        try:
            yield records()
        finally:
            self._followers = [other for other in self._followers if other is not follower]

    async def watch_ledger(self, callback: Callable[[Run, str], None]) -> Subscription:
        """Call back with each entry written from now on."""
        self._ledger_watchers.append(callback)
        return _Subscription(lambda: _discard(self._ledger_watchers, callback))

    async def purge(self, namespace: str, deliberation_uid: str) -> None:
        """Remove every task, every ledger entry and every dead letter of a Deliberation."""
        await self.withdraw_tasks(namespace, deliberation_uid)
        for subject in tuple(self._messages):
            entry = subjects.find_entry(subject)
            if entry and (entry[0].namespace, entry[0].deliberation_uid) == (namespace, deliberation_uid):
                del self._messages[subject]

    async def withdraw_tasks(self, namespace: str, deliberation_uid: str) -> None:
        """Remove every task of a Deliberation, laid aside or not: another may be published. Its ledger stays."""
        self.check_connected()
        wanted = (namespace, deliberation_uid)
        self.dead = {place: letter for place, letter in self.dead.items() if subjects.find_dead(place) != wanted}
        for subject in tuple(self._messages):
            run = subjects.find_task(subject)
            if run is not None and (run.namespace, run.deliberation_uid) == wanted:
                del self._messages[subject]
                for attempts in self._consumers.values():
                    attempts.pop(subject, None)

    async def find_dead_letter(self, namespace: str, deliberation_uid: str) -> str | None:
        """Return why the Deliberation's task was laid aside, or None when it was not."""
        self.check_connected()
        wanted = (namespace, deliberation_uid)
        found = [reason for subject, (reason, _) in self.dead.items() if subjects.find_dead(subject) == wanted]
        return found[-1] if found else None

    async def lay_exhausted_aside(self, callback: Callable[[Run], None]) -> Subscription:
        """Lay aside every task that was delivered for the last time in vain, and call back with its run.

        That includes those of the time before; it is said of each once.
        """
        self._exhausted_watchers.append(callback)
        return _Subscription(lambda: _discard(self._exhausted_watchers, callback))

    async def take_task(self, namespace: str, runner: str, timeout_seconds: float) -> Delivery | None:
        """Return the next task of `runner`, waiting at most `timeout_seconds` for one."""
        clock = asyncio.get_running_loop().time
        until = clock() + timeout_seconds
        while True:
            self.check_connected()
            attempts = self._consumers.get((namespace, runner))
            if attempts is None:
                raise BusUnavailableError(f"No consumer exists yet for runner {runner} of namespace {namespace}")
            delivery, next_due = self._deliver(namespace, runner, attempts, clock())
            if delivery is not None:
                return delivery
            remaining = min(until, next_due) - clock()
            if clock() >= until:
                return None
            try:
                async with asyncio.timeout(max(remaining, 0)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def beat(self, namespace: str, heartbeat: Heartbeat) -> None:
        """Say that a runner lives."""
        self.check_connected()
        for callback in tuple(self._heartbeat_watchers):
            call_back(partial(callback, namespace, heartbeat), "heartbeat")

    async def watch_heartbeats(self, callback: Callable[[str, Heartbeat], None]) -> Subscription:
        """Call back with each runner's beat."""
        self._heartbeat_watchers.append(callback)
        return _Subscription(lambda: _discard(self._heartbeat_watchers, callback))

    async def probe(
        self, namespace: str, runner: str, request: ProbeRequest, timeout_seconds: float
    ) -> ProbeReply | None:
        """Ask `runner` whether it can reach models."""
        self.check_connected()
        answer = self._probe_answers.get((namespace, runner))
        if answer is None:
            return None
        try:
            async with asyncio.timeout(timeout_seconds):
                return await answer(request)
        except TimeoutError:
            return None

    async def serve_probes(
        self, namespace: str, runner: str, answer: Callable[[ProbeRequest], Awaitable[ProbeReply]]
    ) -> Subscription:
        """Answer each probe of `runner`."""
        self._probe_answers[namespace, runner] = answer
        return _Subscription(lambda: self._probe_answers.pop((namespace, runner), None) and None)

    async def close(self) -> None:
        """Be unreachable from now on."""
        self._connected = False

    def _of_ledger(self, run: Run) -> list[_Message]:
        prefix = subjects.entry(run, "")
        return [message for subject, message in self._messages.items() if subject.startswith(prefix)]

    def _record(self, message: _Message) -> LedgerRecord:
        return build_record(message.sequence, message.subject, message.data)

    def _deliver(
        self, namespace: str, runner: str, attempts: dict[str, Attempt], now: float
    ) -> tuple[Delivery | None, float]:
        """Return the first task that is due, or None and when the next one will be."""
        next_due = float("inf")
        prefix = subjects.tasks_of_runner(namespace, runner).removesuffix(">")
        for message in self._messages.values():
            if not message.subject.startswith(prefix):
                continue
            attempt = attempts.setdefault(message.subject, Attempt())
            if attempt.deliveries >= streams.TaskConsumer.max_deliver and attempt.due <= now:
                self._lay_exhausted_aside(message, attempt)
            if attempt.done or attempt.deliveries >= streams.TaskConsumer.max_deliver:
                continue
            if attempt.due <= now:
                attempt.deliveries += 1
                attempt.due = now + self.ack_wait_seconds
                return MemoryDelivery(self, message.subject, message.data, attempt, attempt.deliveries), now
            next_due = min(next_due, attempt.due)
        return None, next_due

    def _lay_exhausted_aside(self, message: _Message, attempt: Attempt) -> None:
        """Lay a task aside that nobody acknowledged at its last delivery, if anybody wants that."""
        run = subjects.find_task(message.subject)
        if attempt.done or run is None or not self._exhausted_watchers:
            return
        attempt.done = True
        self.dead.setdefault(subjects.dead_letter_of(message.subject), (streams.RETRIED_IN_VAIN, message.data))
        for callback in tuple(self._exhausted_watchers):
            call_back(partial(callback, run), message.subject)


def _discard(items: list[Item], item: Item) -> None:
    if item in items:
        items.remove(item)
