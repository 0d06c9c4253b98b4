"""Ends tasks that wait inside nats-py."""

import asyncio
from typing import Any

AGAIN_SECONDS = 0.5
"""After how long a task that goes on is cancelled once more."""


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and return when it has ended; safe to repeat.

    Once is not enough: nats-py passes over some cancellations while it closes, and `asyncio.wait_for`, which it uses,
    over one that comes just as what it waits for ends (before Python 3.12: github.com/python/cpython/issues/86296).
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)
    await asyncio.gather(task, return_exceptions=True)
