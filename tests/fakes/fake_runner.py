"""A fake runner: beats, answers probes and takes tasks over the real bus, but has no Ray and asks no model.

Its seats answer what the test says, at once. The rest, the engine and the ledger, is the real thing.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from deliberation.bus.port import Bus, BusUnavailableError, Subscription
from deliberation.engine.asks import Ask
from deliberation.engine.fold import fold
from deliberation.engine.step import Finish, Record, Work, step
from deliberation.protocol.entries import Ballot, LedgerEntry, Proposal, Score, Start, Usage
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest, ProbeResult
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task

BEAT_SECONDS = 1.0

Answer = Callable[[Task, Ask], LedgerEntry]


def agree(task: Task, ask: Ask) -> LedgerEntry:
    """Answer as a seat that proposes "yes" and scores everybody 3."""
    usage = Usage(calls=1, prompt_tokens=10, completion_tokens=5)
    if ask.key.startswith("proposal"):
        return Proposal(seat=ask.seat, answer="yes", usage=usage)
    others = [seat.id for seat in task.seats if seat.id != ask.seat]
    scores = tuple(Score(proposal=seat, criteria={item.name: 3 for item in task.criteria}) for seat in others)
    return Ballot(judge=ask.seat, order=ask.turn, scores=scores, usage=usage)


class FakeRunner:
    """One runner of one namespace, as the operator sees it: a heartbeat, probes, and a ledger that grows."""

    def __init__(self, bus: Bus, namespace: str, runner: str) -> None:
        self.bus = bus
        self.namespace = namespace
        self.runner = runner
        self.seats: dict[str, int] = {}
        self._strained: tuple[str, ...] = ()
        self.probe_results: dict[str, ProbeResult] = {}
        self._probes: Subscription | None = None
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._probes = await self.bus.serve_probes(self.namespace, self.runner, self._answer_probe)
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beating:
            self._beating.cancel()
            with suppress(asyncio.CancelledError):
                await self._beating
        if self._probes:
            await self._probes.stop()
        await self.bus.close()

    async def take(self, timeout_seconds: float = 120) -> tuple[Run, Task]:
        """Return the next task, and say in its ledger that it was started."""
        delivery = await self.bus.take_task(self.namespace, self.runner, timeout_seconds)
        assert delivery is not None, "no task came"
        assert delivery.run is not None
        assert delivery.task is not None
        await self.bus.publish_entry(delivery.run, Start(runner=self.runner, at_ms=now_ms()))
        await delivery.ack()
        return delivery.run, delivery.task

    async def find_task(self, timeout_seconds: float = 1) -> Task | None:
        """Return the next task if one comes in time."""
        delivery = await self.bus.take_task(self.namespace, self.runner, timeout_seconds)
        return delivery.task if delivery else None

    async def finish(self, run: Run, task: Task, answer: Answer = agree) -> None:
        """Drive the run to its verdict."""
        while True:
            match step(task, fold(task, await self.bus.read_ledger(run)), now_ms()):
                case Work(asks=asks):
                    for ask in asks:
                        await self.bus.publish_entry(run, answer(task, ask))
                case Record(entries=entries):
                    for entry in entries:
                        await self.bus.publish_entry(run, entry)
                case Finish(verdict=verdict):
                    await self.bus.publish_entry(run, verdict)
                    return

    async def strain(self, *councils: str) -> None:
        """Say from now on that models of these Councils, by uid, keep calls waiting."""
        self._strained = councils
        await self._beat_once()

    async def _beat(self) -> None:
        while True:
            with suppress(BusUnavailableError):
                await self._beat_once()
            await asyncio.sleep(BEAT_SECONDS)

    async def _beat_once(self) -> None:
        heartbeat = Heartbeat(runner=self.runner, running=0, seats=self.seats, strained=self._strained)
        await self.bus.beat(self.namespace, heartbeat)

    async def _answer_probe(self, request: ProbeRequest) -> ProbeReply:
        results = (self.probe_results.get(model.name, ProbeResult(name=model.name)) for model in request.models)
        return ProbeReply(results=tuple(results))


def now_ms() -> int:
    return time.time_ns() // 1_000_000
