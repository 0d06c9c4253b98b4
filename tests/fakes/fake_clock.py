"""A fake clock: time stands still until the test moves it."""

import asyncio
import heapq
import itertools
from collections.abc import Callable


class FakeTimer:
    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeClock:
    """Implements `runner.clock.Clock`."""

    def __init__(self, now_ms: int = 1_000_000) -> None:
        self._now_ms = now_ms
        self._timers: list[tuple[int, int, FakeTimer]] = []
        self._serial = itertools.count()

    def now_ms(self) -> int:
        return self._now_ms

    def call_at(self, at_ms: int, callback: Callable[[], object]) -> FakeTimer:
        timer = FakeTimer(callback)
        heapq.heappush(self._timers, (at_ms, next(self._serial), timer))
        return timer

    async def advance(self, milliseconds: int) -> None:
        """Move on, stopping at each timer on the way, and let everybody do what is due."""
        until = self._now_ms + milliseconds
        await settle()
        while self._timers and self._timers[0][0] <= until:
            at_ms, _, timer = heapq.heappop(self._timers)
            self._now_ms = max(self._now_ms, at_ms)
            if not timer.is_cancelled:
                timer.callback()
                await settle()
        self._now_ms = until


async def settle(turns: int = 50) -> None:
    """Let every task run until it waits for something outside: nothing here needs more turns of the loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
