"""One endless task per object, woken by events: level-triggered, so a lost or repeated wake changes nothing."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

QUIET_SECONDS = 0.05
"""Least time between two passes over one object: a burst of events becomes one pass."""

SOON_SECONDS = 1.0
"""How long those who are woken soon may be waited for: what happens meanwhile becomes one pass, too."""

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


class _Slots:
    """So many passes at a time.

    A free slot goes to the namespaces in turn: none with thousands of objects holds up another's only one.
    """

    def __init__(self, parallel: int) -> None:
        self._free = parallel
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def hold(self, namespace: str) -> AsyncIterator[None]:
        """Hold a slot, as soon as one is free and it is the namespace's turn."""
        await self._acquire(namespace)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, namespace: str) -> None:
        if self._free:
            self._free -= 1
            return
        given = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(namespace, deque()).append(given)
        try:
            await given
        except asyncio.CancelledError:
            if not given.cancelled():
                self._release()
            raise

    def _release(self) -> None:
        while self._waiting:
            namespace = next(iter(self._waiting))
            line = self._waiting.pop(namespace)
            given = line.popleft()
            if line:
                self._waiting[namespace] = line
            if not given.cancelled():
                given.set_result(None)
                return
        self._free += 1


class Loops:
    """Looks at every woken object, at most `parallel` at a time; no exception ends a loop."""

    def __init__(self, parallel: int = 20) -> None:
        self._slots = _Slots(parallel)
        self._loops: dict[Key, _Loop] = {}
        self._due: dict[Key, asyncio.TimerHandle] = {}

    def begin(self, reconcile: Reconcile, report: Report) -> None:
        """Use `reconcile` to look; tell `report` of each failure and how many there were in a row."""
        self._reconcile = reconcile
        self._report = report

    def wake(self, key: Key) -> None:
        """Have a look at the object as soon as possible."""
        due = self._due.pop(key, None)
        if due:
            due.cancel()
        loop = self._loops.get(key)
        if loop is None:
            loop = self._loops[key] = _Loop()
            loop.task = asyncio.create_task(self._run(key, loop), name=f"{key.kind}/{key.namespace}/{key.name}")
        loop.woken.set()

    def wake_soon(self, key: Key) -> None:
        """Have a look at the object within SOON_SECONDS."""
        if key not in self._due:
            self._due[key] = asyncio.get_running_loop().call_later(SOON_SECONDS, self.wake, key)

    def count(self, kind: str) -> int:
        """Return how many objects of a kind have a live loop."""
        return sum(key.kind == kind for key in self._loops)

    async def close(self) -> None:
        """End every loop."""
        for due in self._due.values():
            due.cancel()
        tasks = [loop.task for loop in self._loops.values() if loop.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: Key, loop: _Loop) -> None:
        failures = restless = 0
        while True:
            loop.woken.clear()
            try:
                async with self._slots.hold(key.namespace):
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
