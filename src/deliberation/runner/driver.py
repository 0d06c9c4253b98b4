"""One run from its task to its verdict. Knows neither Ray nor NATS: it also drives runs without a cluster.

The driver keeps nothing that the ledger does not hold. Killed at any moment and started again, it reads the ledger
and goes on; two drivers of one run only repeat each other, because every entry can be written once.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from itertools import count
from typing import Protocol

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.bus.port import Bus, BusUnavailableError
from deliberation.engine.asks import Ask
from deliberation.engine.fold import Folding
from deliberation.engine.standing import Standing
from deliberation.engine.step import Finish, Record, Work, step
from deliberation.engine.strategies import Leg
from deliberation.protocol.entries import Abstention, LedgerEntry, LedgerRecord, Start
from deliberation.protocol.tasks import Task
from deliberation.runner.clock import Clock
from deliberation.runner.faults import describe
from deliberation.runner.persist import insist, persist, run_of

MAX_TRIES = 3
"""How often a seat that fails is asked for one entry, so that a fault can't become an endless paid loop."""

log = logging.getLogger(__name__)


class Seats(Protocol):
    """Those who answer."""

    async def answer(self, task: Task, standing: Standing, ask: Ask) -> None:
        """Have the ask's place in the ledger filled when this returns. Cancelling it aborts the call of the model.

        Raises:
            Exception: the seat failed, perhaps without filling it; asking again may work.
        """


class Driver:
    """Drives one run: does what `step` says until it says that the run is finished."""

    def __init__(self, task: Task, runner: str, bus: Bus, seats: Seats, clock: Clock) -> None:
        self._task = task
        self._runner = runner
        self._bus = bus
        self._seats = seats
        self._clock = clock
        self._records: dict[int, LedgerRecord] = {}
        self._filled: set[str] = set()
        self._folding = Folding(task)
        self._begun: set[Leg] = set()
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    async def run(self) -> Standing:
        """Drive the run until its verdict is in the ledger or it is suspended, and return how it stands then.

        Raises:
            BusUnavailableError: the bus stayed away; another delivery of the task goes on from what is in the ledger.
        """
        async with self._bus.follow_ledger(run_of(self._task)) as incoming:
            await insist(self._catch_up, self._task, self._clock)
            follower = asyncio.create_task(self._follow(incoming))
            try:
                return await self._deliberate(follower)
            finally:
                await _end((follower, *self._calls.values()))

    async def _deliberate(self, follower: asyncio.Task[None]) -> Standing:
        while not follower.done():
            self._changed.clear()
            standing = self._folding.stand()
            if standing.suspended and standing.verdict is None and not standing.cancelled:
                return standing
            match step(self._task, standing, self._clock.now_ms()):
                case Finish(verdict):
                    if standing.verdict is None:
                        await self._record((verdict,), follower)
                    if self._folding.stand().verdict is not None:
                        return self._folding.stand()
                case Record(entries):
                    await self._record(entries, follower)
                case Work() if standing.wave and standing.wave.leg not in self._begun:
                    await self._begin(standing.wave.leg, follower)
                case Work() as work:
                    self._direct(work, standing)
                    await self._wait_until(work.until_ms)
        follower.result()
        raise BusUnavailableError("The bus stopped to deliver the ledger")

    async def _begin(self, leg: Leg, follower: asyncio.Task[None]) -> None:
        """Say in the ledger that the stage's seats are about to be asked, in the next free place.

        What is in that place may be our own word, though the bus said it was taken: its confirmation was lost.
        """
        starts = (Start(number=number, runner=self._runner, at_ms=self._clock.now_ms()) for number in count())
        start = next(start for start in starts if start.key not in self._filled)
        await self._persist(start)
        await self._await_places({start.key}, follower)
        if any(record.entry == start for record in self._records.values()):
            self._begun.add(leg)

    def _direct(self, work: Work, standing: Standing) -> None:
        """Have every ask of the stage worked on, once, and stop the calls that nobody waits for any more."""
        wanted = {ask.key for ask in work.asks}
        for key in self._calls.keys() - wanted - self._filled:
            self._calls[key].cancel()
        for ask in work.asks:
            if ask.key not in self._calls:
                self._calls[ask.key] = asyncio.create_task(self._fill(ask, standing, work.tries))

    async def _fill(self, ask: Ask, standing: Standing, first: int) -> None:
        """Have the seat fill the ask's place, in its `first` try and more; after MAX_TRIES, abstain in its name."""
        fault = ""
        for tries in range(first, first + MAX_TRIES):
            try:
                await self._seats.answer(self._task, standing, ask._replace(tries=tries))
            except Exception as error:  # noqa: BLE001 - whatever a seat fails of, it must not reach the other seats
                fault = describe(error)
                log.warning("%s: seat %s failed (%s)", self._name, ask.seat, fault)
            else:
                return
            if await self._has_been_filled(ask):
                return
        message = f"The seat failed {MAX_TRIES} times, last with {fault}"
        await self._persist(
            Abstention(
                seat=ask.seat,
                stage=ask.stage,
                round=ask.round,
                turn=ask.turn,
                reason=AbstentionReason.INTERNAL_ERROR,
                message=message,
            )
        )

    async def _has_been_filled(self, ask: Ask) -> bool:
        """Return whether the ledger holds the ask's entry: a seat may fail after it has written it."""
        try:
            await self._catch_up()
        except BusUnavailableError as error:
            log.warning("%s: %s", self._name, describe(error))
        return ask not in self._folding.stand().missing

    async def _record(self, entries: Iterable[LedgerEntry], follower: asyncio.Task[None]) -> None:
        """Write the entries, and wait until the ledger shows what has become of their places."""
        entries = tuple(entries)
        await asyncio.gather(*(self._persist(entry) for entry in entries))
        await self._await_places({entry.key for entry in entries}, follower)

    async def _await_places(self, places: set[str], follower: asyncio.Task[None]) -> None:
        while not places <= self._filled and not follower.done():
            self._changed.clear()
            await self._changed.wait()

    async def _persist(self, entry: LedgerEntry) -> None:
        await persist(self._bus, self._task, entry, self._clock)

    async def _catch_up(self) -> None:
        for record in await self._bus.read_ledger(run_of(self._task)):
            self._take(record)

    async def _follow(self, incoming: AsyncIterator[LedgerRecord]) -> None:
        try:
            async for record in incoming:
                self._take(record)
                self._changed.set()
        finally:
            self._changed.set()

    def _take(self, record: LedgerRecord) -> None:
        """Fold the record in; all of them again, should one come after a later one."""
        if record.sequence in self._records:
            return
        is_next = record.sequence > max(self._records, default=0)
        self._records[record.sequence] = record
        self._filled.add(record.key)
        if is_next:
            self._folding.add(record)
        else:
            self._folding = Folding(self._task)
            for number in sorted(self._records):
                self._folding.add(self._records[number])

    async def _wait_until(self, at_ms: int) -> None:
        """Wait for the next record, or until `at_ms`."""
        timer = self._clock.call_at(at_ms, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            timer.cancel()

    @property
    def _name(self) -> str:
        return f"{self._task.namespace}/{self._task.deliberation_name}"


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel what still runs, and see every task off."""
    tasks = tuple(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
