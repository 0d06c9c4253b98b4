"""Subscriptions that hold over every loss of the connection."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing, suppress
from functools import partial
from typing import Any

from nats.aio.msg import Msg
from nats.errors import Error

from deliberation.bus.connection import Connection
from deliberation.bus.ending import end
from deliberation.bus.reading import StreamMessage, follow
from deliberation.bus.records import call_back

SETTLE_SECONDS = 2.0
RETRY_SECONDS = 0.25


class StandingSubscription:
    """A subscription in a task of its own. Without a connection it waits, and listens as soon as there is one.

    Args:
        work: listens without end, and sets the event that it is given when it first does.
    """

    def __init__(self, work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
        self._listening = asyncio.Event()
        self._task = asyncio.create_task(work(self._listening))

    async def settle(self) -> None:
        """Wait until it listens, or for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._listening.wait()

    async def stop(self) -> None:
        """End it; safe to repeat."""
        await end(self._task)


async def watch(
    connection: Connection,
    stream: str,
    filter_subject: str,
    callback: Callable[[StreamMessage], None],
    listening: asyncio.Event,
) -> None:
    """Call back with each message that a stream stores from now on, without end."""
    source = follow(connection, stream, filter_subject, from_start=False, on_open=listening.set)
    async with aclosing(source) as messages:
        async for message in messages:
            call_back(partial(callback, message), message.subject)


async def listen(
    connection: Connection, subject: str, callback: Callable[[Msg], None], listening: asyncio.Event
) -> None:
    """Call back with each message of a subject of core NATS, without end."""
    while True:
        session = await connection.wait_for_session()
        with suppress(Error, OSError, TimeoutError):
            async with session.subscribed(subject) as subscription:
                await session.settle()
                listening.set()
                while True:
                    message = await session.guard(subscription.next_msg(timeout=None))
                    call_back(partial(callback, message), message.subject)
        await asyncio.sleep(RETRY_SECONDS)
