"""Time as the runner sees it: passed in, so that a test can hold it still."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Don't make it."""


class Clock(Protocol):
    """Wall-clock time in milliseconds since the epoch, and a way to be called at a moment of it."""

    def now_ms(self) -> int:
        """Return the time."""

    def call_at(self, at_ms: int, callback: Callable[[], object]) -> Timer:
        """Call back at that time, or at once when it is over."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Return the time."""
        return time.time_ns() // 1_000_000

    def call_at(self, at_ms: int, callback: Callable[[], object]) -> Timer:
        """Call back at that time, or at once when it is over."""
        return asyncio.get_running_loop().call_later(max(0, at_ms - self.now_ms()) / 1000, callback)


async def sleep(clock: Clock, milliseconds: int) -> None:
    """Wait that long by that clock."""
    over = asyncio.Event()
    timer = clock.call_at(clock.now_ms() + milliseconds, over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()
