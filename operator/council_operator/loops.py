"""One endless task per object, woken by events: level-triggered, so a lost or repeated wake changes nothing."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

QUIET_SECONDS = 0.05
"""Least time between two passes over one object: a burst of events becomes one pass."""

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 60.0

RESTLESS_AFTER_PASSES = 10
"""Passes in a row that changed something, after which a loop slows down: a plan that never comes to rest is a bug."""


@dataclass(frozen=True)
class Key:
    """Names one object of ours."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Again:
    """Look at the object again after so many seconds, even if nothing wakes it. `acted`: the pass changed something."""

    after_seconds: float
    acted: bool = False


class Settled:
    """Nothing more to do until an event says otherwise: the object is finished or gone."""


Reconcile = Callable[[Key], Awaitable[Again | Settled]]
Report = Callable[[Key, Exception, int], Awaitable[None]]


@dataclass
class _Loop:
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Loops:
    """Looks at every woken object, at most `parallel` at a time; no exception ends a loop."""

    def __init__(self, parallel: int = 20) -> None:
        self._slots = asyncio.Semaphore(parallel)
        self._loops: dict[Key, _Loop] = {}

    def begin(self, reconcile: Reconcile, report: Report) -> None:
        """Use `reconcile` to look; tell `report` of each failure and how many there were in a row."""
        self._reconcile = reconcile
        self._report = report

    def wake(self, key: Key) -> None:
        """Have a look at the object soon."""
        loop = self._loops.get(key)
        if loop is None:
            loop = self._loops[key] = _Loop()
            loop.task = asyncio.create_task(self._run(key, loop), name=f"{key.kind}/{key.namespace}/{key.name}")
        loop.woken.set()

    def count(self, kind: str) -> int:
        """Return how many objects of a kind have a live loop."""
        return sum(key.kind == kind for key in self._loops)

    async def close(self) -> None:
        """End every loop."""
        tasks = [loop.task for loop in self._loops.values() if loop.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: Key, loop: _Loop) -> None:
        failures = restless = 0
        while True:
            loop.woken.clear()
            try:
                async with self._slots:
                    outcome = await self._reconcile(key)
            except Exception as error:  # noqa: BLE001 - a loop that ends would abandon its object
                failures += 1
                outcome = Again(_backoff(failures))
                await self._tell(key, error, failures)
            else:
                failures = 0
            if isinstance(outcome, Settled):
                if not loop.woken.is_set():
                    del self._loops[key]
                    return
                continue
            restless = restless + 1 if outcome.acted else 0
            if restless > RESTLESS_AFTER_PASSES:
                await asyncio.sleep(_backoff(restless - RESTLESS_AFTER_PASSES))
            await _wait(loop.woken, outcome.after_seconds)
            await asyncio.sleep(QUIET_SECONDS)

    async def _tell(self, key: Key, error: Exception, failures: int) -> None:
        try:
            await self._report(key, error, failures)
        except Exception:
            logger.exception("reporting a failure of %s %s/%s failed", key.kind, key.namespace, key.name)


async def _wait(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return


def _backoff(failures: int) -> float:
    """Return full-jitter exponential back-off in seconds, so that many failing objects do not retry in step."""
    ceiling = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** min(failures, 10))
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter, not cryptography
