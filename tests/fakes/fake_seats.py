"""Fake seats: they answer by a script, without a model, and remember what they were asked."""

import asyncio
from collections import Counter

from deliberation.bus.port import Bus
from deliberation.engine.asks import Ask
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import LedgerEntry, Usage
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task
from fakes.fake_answers import answer_ask


class FakeSeats:
    """Implements `runner.driver.Seats`.

    Args:
        bus: where the answers go.
        answers: what each seat proposes; a seat that is missing here proposes its own name.

    `faults` holds, by key of an entry, errors to raise instead of answering, used up one by one; `silent` the keys of
    entries that never come, until the call is cancelled; `pass_on` must be set for any answer to come at all.
    """

    def __init__(self, bus: Bus, answers: dict[str, str] | None = None) -> None:
        self._bus = bus
        self._answers = answers or {}
        self.calls: Counter[str] = Counter()
        self.cancelled: list[str] = []
        self.convened: list[str] = []
        self.faults: dict[str, list[Exception]] = {}
        self.silent: set[str] = set()
        self.pass_on = asyncio.Event()
        self.pass_on.set()

    def convene(self, task: Task) -> None:
        self.convened.append(task.deliberation_uid)

    async def answer(self, task: Task, standing: Standing, ask: Ask) -> None:
        self.calls[ask.key] += 1
        try:
            await self.pass_on.wait()
            if ask.key in self.silent:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.append(ask.key)
            raise
        if self.faults.get(ask.key):
            raise self.faults[ask.key].pop(0)
        run = Run(task.namespace, task.deliberation_uid, task.attempt)
        await self._bus.publish_entry(run, self._build(task, standing, ask))

    def _build(self, task: Task, standing: Standing, ask: Ask) -> LedgerEntry:
        usage = Usage(calls=1, prompt_tokens=10, completion_tokens=2)
        return answer_ask(task, standing, ask, self._answers.get(ask.seat, ask.seat), usage)
