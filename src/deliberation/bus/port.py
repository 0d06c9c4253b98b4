"""What the rest of the system asks of the bus, whatever carries it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from deliberation.protocol.entries import LedgerEntry, LedgerRecord
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task


class BusUnavailableError(Exception):
    """The bus did not do what was asked within its bounded wait: the message says why. Asking again later may work."""


class BusMisconfiguredError(BusUnavailableError):
    """The bus answers, but is not set up as it must be: somebody has to change what the message names."""


class MessageTooLargeError(Exception):
    """A message does not fit the bus: asking again will not help, making the message smaller will."""


class Subscription(Protocol):
    """A running subscription."""

    async def stop(self) -> None:
        """End it; safe to repeat."""


class Delivery(Protocol):
    """A task in one runner's hands, until acknowledged or given back; unanswered for 60 s, it is delivered again.

    A task may come twice, even while it is in work: when the server is killed it may forget what it delivered. Whoever
    takes it reads the ledger first. Hence `ack`, `nak` and `in_progress` raise nothing when they do not reach the bus:
    the task comes again, and that is safe. `lay_aside` raises `BusUnavailableError`.
    """

    @property
    def task(self) -> Task | None:
        """The task, or None when the message is malformed: then only `lay_aside` makes sense."""

    @property
    def run(self) -> Run | None:
        """The run that the message is filed under, or None when its subject names none."""

    @property
    def redelivered(self) -> int:
        """How often it was delivered before."""

    @property
    def is_last(self) -> bool:
        """True when the bus will not deliver it again: whoever holds it lays it aside rather than try once more."""

    async def ack(self) -> None:
        """The work is done: never deliver it again."""

    async def nak(self, delay_seconds: float) -> None:
        """Deliver it again, to whoever asks, but not before `delay_seconds` are over."""

    async def in_progress(self) -> None:
        """The work goes on: the wait for the acknowledgement starts anew."""

    async def lay_aside(self, reason: str) -> None:
        """Keep the message among the dead ones, with the reason, and never deliver it again."""


class Bus(Protocol):
    """Tasks and ledgers of all runs.

    Every write creates its message once: a second write of the same place changes nothing and returns False. A lost
    acknowledgement is asked for again, so False may also mean that the first try of this very call arrived.

    Every call ends within a bounded time and raises `BusUnavailableError` when the bus could not be reached, and
    `MessageTooLargeError` when what it was given does not fit. Only `follow_ledger`, `watch_*` and `serve_probes` never
    raise: without a connection they begin as soon as there is one, and they go on after each loss.
    """

    @property
    def is_connected(self) -> bool:
        """Whether the bus is connected at this moment."""

    async def ensure_streams(self, replicas: int = 1) -> None:
        """Make sure that the streams exist as declared in `protocol.streams`, and that they cover every subject.

        Raises:
            BusMisconfiguredError: a stream cannot be made so; the message tells which and why.
        """

    async def ensure_task_consumer(self, namespace: str, runner: str) -> None:
        """Make sure that the durable consumer exists through which `runner` takes its tasks."""

    async def remove_task_consumer(self, namespace: str, runner: str) -> None:
        """Remove a runner's consumer; nothing happens when there is none. Its tasks stay."""

    async def publish_task(self, run: Run, runner: str, task: Task) -> bool:
        """File the task for `runner`, once."""

    async def withdraw_tasks(self, namespace: str, deliberation_uid: str) -> None:
        """Remove every task of a Deliberation, laid aside or not: another may be published. Its ledger stays."""

    async def publish_entry(self, run: Run, entry: LedgerEntry) -> bool:
        """Write the entry into the run's ledger, once."""

    async def read_task(self, namespace: str, deliberation_uid: str) -> Task | None:
        """Return the Deliberation's latest task, or None when there is none, or none that can be read."""

    async def list_deliberations(self, namespace: str) -> frozenset[str]:
        """Return the uids of all Deliberations in the namespace that have a task."""

    async def read_ledger(self, run: Run) -> tuple[LedgerRecord, ...]:
        """Return what the run's ledger holds, in order of writing; malformed messages without an entry."""

    def follow_ledger(self, run: Run) -> AbstractAsyncContextManager[AsyncIterator[LedgerRecord]]:
        """Iterate over the run's ledger from its beginning and then live, without end; nothing is lost on the way.

        The iterator does not tell where the past ends: read the ledger first to know what is done already.
        """

    async def watch_ledger(self, callback: Callable[[Run, str], None]) -> Subscription:
        """Call back with the run and the key of each entry written from now on, in any namespace."""

    async def purge(self, namespace: str, deliberation_uid: str) -> None:
        """Remove every task, every ledger entry and every dead letter of a Deliberation."""

    async def find_dead_letter(self, namespace: str, deliberation_uid: str) -> str | None:
        """Return why the Deliberation's task was laid aside, or None when it was not."""

    async def lay_exhausted_aside(self, callback: Callable[[Run], None]) -> Subscription:
        """Lay aside every task that was delivered for the last time in vain, and call back with its run.

        That includes those of the time before; it is said of each once.
        """

    async def take_task(self, namespace: str, runner: str, timeout_seconds: float) -> Delivery | None:
        """Return the next task of `runner`, waiting at most `timeout_seconds` for one; None when none came."""

    async def beat(self, namespace: str, heartbeat: Heartbeat) -> None:
        """Say that a runner lives. Nobody is told later who did not listen now."""

    async def watch_heartbeats(self, callback: Callable[[str, Heartbeat], None]) -> Subscription:
        """Call back with the namespace and the heartbeat of each runner's beat, in any namespace."""

    async def probe(
        self, namespace: str, runner: str, request: ProbeRequest, timeout_seconds: float
    ) -> ProbeReply | None:
        """Ask `runner` whether it can reach models; None when it does not answer in time."""

    async def serve_probes(
        self, namespace: str, runner: str, answer: Callable[[ProbeRequest], Awaitable[ProbeReply]]
    ) -> Subscription:
        """Answer each probe of `runner`."""

    async def close(self) -> None:
        """End every subscription and the connection; safe to repeat."""
