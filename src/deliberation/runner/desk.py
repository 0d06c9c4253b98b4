"""The desk: takes tasks from the bus, as many at a time as it may, and sees each to its verdict.

A task is acknowledged only when its verdict is in the ledger. Whatever goes wrong before, the bus delivers it again;
one that has been delivered too often ends with abstentions and is laid aside, so that it cannot harm the others.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Mapping
from typing import Protocol

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.bus.port import Bus, BusUnavailableError, Delivery
from deliberation.engine.asks import Ask
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Abstention
from deliberation.protocol.streams import RETRIED_IN_VAIN
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import ModelAddress, Task
from deliberation.runner.clock import Clock, sleep
from deliberation.runner.driver import Driver, Seats
from deliberation.runner.faults import describe
from deliberation.runner.persist import persist

TAKE_SECONDS = 30.0
"""How long one request for a task waits at the bus."""

PROGRESS_MS = 5_000
"""How often the bus is told that a task is in work; it would deliver it again after 20 s of silence."""

RETRY_MS = 2_000
"""Pause after the bus failed, and for each delivery so far before a failed task is delivered again."""

UNASKED_MS = 300_000
"""How long a runner of one task waits for it. The bus delivers that of a lost runner again within half a minute."""

HANDOVER_SECONDS = 0.2
"""Delay of the next delivery when this runner ends: the next one takes the task at once."""

Pass = tuple[Run, int]
"""A run, and how often it was resumed: what is taken up again may come while what was suspended is being put away."""

log = logging.getLogger(__name__)


class Hosts(Seats, Protocol):
    """The seats of all Councils."""

    def convene(self, task: Task) -> None:
        """Have the task's seats ready, ahead of the first question to them; returns at once."""


class Desk:
    """The tasks of one runner."""

    def __init__(self, namespace: str, runner: str, bus: Bus, seats: Hosts, clock: Clock, max_concurrent: int) -> None:
        self._namespace = namespace
        self._runner = runner
        self._bus = bus
        self._seats = seats
        self._clock = clock
        self._free = asyncio.Semaphore(max_concurrent)
        self._in_work: dict[Pass, asyncio.Task[None]] = {}
        self._deliveries: dict[Pass, Delivery] = {}
        self._tasks: dict[Pass, Task] = {}
        self._rejected: Counter[str] = Counter()
        self._seen_off = 0

    @property
    def running(self) -> int:
        """Deliberations in work."""
        return len(self._in_work)

    @property
    def models(self) -> Mapping[str, frozenset[ModelAddress]]:
        """The models of the Deliberations in work, by the uid of their Council."""
        found: defaultdict[str, set[ModelAddress]] = defaultdict(set)
        for task in self._tasks.values():
            found[task.council_uid].update(task.models)
        return {council: frozenset(addresses) for council, addresses in found.items()}

    @property
    def rejected(self) -> Mapping[str, int]:
        """Messages refused since start, by reason."""
        return dict(self._rejected)

    async def run(self) -> None:
        """Take tasks until cancelled; then give back those in work, for the next runner."""
        try:
            while True:
                await self._take_next()
        finally:
            await self._give_back()

    async def run_once(self) -> None:
        """See one task to its end, or find that the bus has none: somebody else has seen it off.

        It is the task of this runner alone, delivered again whenever it fails, so nothing else is taken beside it.
        """
        until_ms = self._clock.now_ms() + UNASKED_MS
        try:
            while not self._seen_off and self._clock.now_ms() < until_ms:
                await self._take_next()
                while self._in_work:
                    await asyncio.wait(self._in_work.values())
                    until_ms = self._clock.now_ms() + UNASKED_MS
        finally:
            await self._give_back()

    async def _take_next(self) -> None:
        await self._free.acquire()
        delivery = await self._take()
        if delivery is None:
            self._free.release()
        else:
            await self._accept(delivery)

    async def _give_back(self) -> None:
        works = tuple(self._in_work.values())
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)

    async def _take(self) -> Delivery | None:
        try:
            return await self._bus.take_task(self._namespace, self._runner, TAKE_SECONDS)
        except BusUnavailableError as error:
            log.warning("no tasks for now: %s", error)
            await sleep(self._clock, RETRY_MS)
            return None

    async def _accept(self, delivery: Delivery) -> None:
        """Start work on the delivery; a place among the concurrent ones is taken and must be given back."""
        task, run = delivery.task, delivery.run
        if task is None or run is None:
            await self._refuse(delivery)
            self._free.release()
            return
        this = run, task.resumed
        self._deliveries[this], is_new = delivery, this not in self._in_work
        if is_new:
            self._tasks[this] = task
            self._in_work[this] = asyncio.create_task(self._work(this, task, is_last=delivery.is_last))
            self._in_work[this].add_done_callback(lambda _: self._free.release())
        else:
            self._rejected["Duplicate"] += 1
            self._free.release()

    async def _refuse(self, delivery: Delivery) -> None:
        self._rejected["Malformed"] += 1
        log.error("a task of run %s is malformed and was laid aside", delivery.run)
        await _tell(delivery.lay_aside("Malformed"))

    async def _work(self, this: Pass, task: Task, *, is_last: bool) -> None:
        """See the task to its verdict or suspension, and tell the bus. What breaks here must not break another run."""
        progress = asyncio.create_task(self._report_progress(this))
        name = f"{task.namespace}/{task.deliberation_name}"
        try:
            was_given_up = await self._see_to_verdict(this, task, is_last=is_last)
        except asyncio.CancelledError:
            log.info("%s: given back, because this runner ends", name)
            await _tell(self._put_away(this).nak(HANDOVER_SECONDS))
            raise
        except Exception as error:  # noqa: BLE001 - a broken run is delivered again, whatever broke it
            log.warning("%s: given back after a fault (%s)", name, describe(error))
            delivery = self._put_away(this)
            await _tell(delivery.nak(RETRY_MS / 1000 * (1 + delivery.redelivered)))
        else:
            delivery = self._put_away(this)
            self._seen_off += 1
            if not was_given_up:
                await _tell(delivery.ack())
        finally:
            progress.cancel()

    async def _see_to_verdict(self, this: Pass, task: Task, *, is_last: bool) -> bool:
        """Return, when the verdict is in the ledger, whether it came without asking the seats."""
        empty = EmptySeats(self._bus, self._clock, self._deliveries[this])
        if not is_last:
            self._seats.convene(task)
        seats: Seats = empty if is_last else self._seats
        standing = await Driver(task, self._runner, self._bus, seats, self._clock).run()
        self._rejected.update(standing.rejected)
        return empty.were_asked

    def _put_away(self, this: Pass) -> Delivery:
        """Let go of the run before the bus hears of it, so that its next delivery is not taken for a duplicate."""
        del self._in_work[this], self._tasks[this]
        return self._deliveries.pop(this)

    async def _report_progress(self, this: Pass) -> None:
        await sleep(self._clock, PROGRESS_MS)
        while this in self._deliveries:
            await _tell(self._deliveries[this].in_progress())
            await sleep(self._clock, PROGRESS_MS)


async def _tell(word: Awaitable[None]) -> None:
    """Tell the bus; one that does not hear it delivers the task again, which does no harm."""
    try:
        await word
    except BusUnavailableError as error:
        log.warning("%s", describe(error))


class EmptySeats:
    """Seats that only abstain: for a task whose deliveries have all failed, so that its run ends all the same.

    The task is laid aside before that, so that whoever sees the end can tell why it came.
    """

    def __init__(self, bus: Bus, clock: Clock, delivery: Delivery) -> None:
        self.were_asked = False
        self._delivery = delivery
        self._bus = bus
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def answer(self, task: Task, standing: Standing, ask: Ask) -> None:
        """Abstain."""
        del standing
        async with self._one_at_a_time:
            if not self.were_asked:
                self.were_asked = True
                await _tell(self._delivery.lay_aside(RETRIED_IN_VAIN))
        abstention = Abstention(
            seat=ask.seat,
            stage=ask.stage,
            round=ask.round,
            turn=ask.turn,
            reason=AbstentionReason.INTERNAL_ERROR,
            message="The runner failed at every earlier delivery of this task: see its log",
        )
        await persist(self._bus, task, abstention, self._clock)
