"""One connected client of NATS, for as long as it lasts."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import ConnectionClosedError, Error

TRY_SECONDS = 2.0
STREAM_NOT_FOUND = 10059
CONSUMER_NOT_FOUND = 10014

Result = TypeVar("Result")


class ApiError(Exception):
    """JetStream refused a request; `code` is its own, finer than the HTTP-like one."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} ({code})")
        self.code = code


@dataclass(frozen=True)
class Session:
    """One connected client, for as long as it lasts."""

    client: Client
    lost: asyncio.Event

    async def guard(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what `work` returns, unless the connection is lost before.

        Raises:
            ConnectionClosedError: the connection was lost; `work` has been cancelled.
        """
        task = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self.lost.wait())
        try:
            await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ConnectionClosedError
            return task.result()
        finally:
            gone.cancel()
            task.cancel()
            task.add_done_callback(_forget)

    @asynccontextmanager
    async def subscribed(self, subject: str | None = None) -> AsyncIterator[Subscription]:
        """Give what arrives at `subject`, or at an inbox of its own, until the end of the context."""
        subscription = await self.client.subscribe(subject or self.client.new_inbox())
        try:
            yield subscription
        finally:
            with suppress(Error, OSError):
                await subscription.unsubscribe()

    async def settle(self) -> None:
        """Return when the server knows every subscription made before.

        Twice, because nats-py writes the ping of a flush at once, ahead of what still waits to be written: the answer
        to the first one says nothing about that, the answer to the second does.
        """
        await self.client.flush()
        await self.client.flush()

    async def request(
        self, subject: str, body: bytes, *, headers: dict[str, str] | None = None, timeout_seconds: float = TRY_SECONDS
    ) -> Msg:
        """Return the first answer to one request.

        Raises:
            NoRespondersError, TimeoutError, ConnectionClosedError: nobody listens, answers, or the connection was lost.
        """
        return await self.guard(self.client.request(subject, body, timeout=timeout_seconds, headers=headers))

    async def call_api(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return JetStream's answer to one request of its API.

        Raises:
            ApiError: JetStream refused it. Others as of `request`.
        """
        message = await self.request(f"$JS.API.{name}", json.dumps(body).encode())
        reply: dict[str, Any] = json.loads(message.data)
        if "error" in reply:
            raise ApiError(reply["error"].get("err_code", 0), reply["error"].get("description", ""))
        return reply


def _forget(task: asyncio.Task[Any]) -> None:
    """Take note of how an abandoned task ended: asyncio would log a failure that nobody asks about."""
    if not task.cancelled():
        task.exception()
