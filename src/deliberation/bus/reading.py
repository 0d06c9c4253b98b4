"""Three ways to read a stream: its last message of a subject, all of them, and all of them and then live."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

from nats.aio.msg import Msg
from nats.errors import Error, NoRespondersError

from deliberation.bus.connection import Connection
from deliberation.bus.port import BusUnavailableError
from deliberation.bus.session import ApiError, Session

HEARTBEAT_SECONDS = 2
SILENCE_SECONDS = 5
REOPEN_SECONDS = 0.25
BATCH = 256
NANOSECONDS = 1_000_000_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StreamMessage:
    """One stored message. `headers` are there when it was read by itself."""

    sequence: int
    subject: str
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class _GapError(Exception):
    """A message did not arrive: the consumer must be made anew, from where the last one stopped."""


async def find_last(connection: Connection, stream: str, filter_subject: str) -> StreamMessage | None:
    """Return the newest message whose subject matches, or None."""
    return await _get(connection, stream, {"last_by_subj": filter_subject})


async def find_at(connection: Connection, stream: str, sequence: int) -> StreamMessage | None:
    """Return the message of this sequence, or None when it is there no more."""
    return await _get(connection, stream, {"seq": sequence})


async def read_all(connection: Connection, stream: str, filter_subject: str) -> list[StreamMessage]:
    """Return all messages whose subjects match, in order of writing."""
    found: list[StreamMessage] = []
    while True:
        start = found[-1].sequence + 1 if found else 1
        read_batch = partial(_read_batch, stream=stream, filter_subject=filter_subject, start=start)
        batch, pending = await connection.attempt(f"read stream {stream}", read_batch)
        found += batch
        if not pending:
            return found


async def list_subjects(connection: Connection, stream: str, filter_subject: str) -> list[str]:
    """Return the subjects of a stream that match and have messages. The server tells so many of them at a time.

    Raises:
        BusUnavailableError: the server did not answer in time, or refused.
    """
    found: list[str] = []
    while True:
        try:
            wanted = {"subjects_filter": filter_subject, "offset": len(found)}
            info = await connection.call_api(f"STREAM.INFO.{stream}", wanted)
        except ApiError as error:
            raise BusUnavailableError(f"JetStream refused to tell of {stream}: {error}") from None
        told = info["state"].get("subjects") or {}
        found += told
        if not told or len(found) >= info.get("total", 0):
            return found


async def fetch_next(session: Session, stream: str, durable: str, timeout_seconds: float) -> Msg | None:
    """Return the next message of a durable consumer, with how to acknowledge it, or None when none came in time.

    Raises:
        nats.errors.Error: the consumer does not exist, or the connection was lost.
    """
    request = json.dumps({"batch": 1, "expires": int(timeout_seconds * NANOSECONDS)}).encode()
    async with session.subscribed() as subscription:
        await session.client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}", request, reply=subscription.subject
        )
        try:
            message = await session.guard(subscription.next_msg(timeout=timeout_seconds + SILENCE_SECONDS))
        except TimeoutError:
            return None
    match _status(message):
        case "":
            return message
        case "404" | "408":
            return None
        case "503":
            raise Error("the consumer does not exist yet")
        case status:
            raise Error(f"JetStream answered {status} {(message.headers or {}).get('Description', '')}")


async def follow(
    connection: Connection,
    stream: str,
    filter_subject: str,
    *,
    from_start: bool,
    on_open: Callable[[], None] = lambda: None,
) -> AsyncGenerator[StreamMessage, None]:
    """Yield messages whose subjects match: those that are there if `from_start`, and then each new one, without end.

    Lost connections, restarted servers and lost messages are healed by a new consumer that starts behind the last
    message seen. When the stream itself was made anew, everything in it is yielded. Calls `on_open` whenever it
    begins to listen.
    """
    position: int | None = 0 if from_start else None
    created = None
    while True:
        session = await connection.wait_for_session()
        try:
            info = await session.call_api(f"STREAM.INFO.{stream}", {})
            if created not in (None, info["created"]):
                position = 0
            created = info["created"]
            if position is None:
                position = info["state"]["last_seq"]
            async with aclosing(_consume(session, stream, filter_subject, position + 1, on_open)) as messages:
                async for message in messages:
                    position = message.sequence
                    yield message
        except (_GapError, ApiError, Error, TimeoutError, OSError) as fault:
            _log.info("Following %s anew: %s", stream, str(fault) or type(fault).__name__)
        await asyncio.sleep(REOPEN_SECONDS)


async def _get(connection: Connection, stream: str, wanted: dict[str, Any]) -> StreamMessage | None:
    message = await connection.ask(f"$JS.API.DIRECT.GET.{stream}", json.dumps(wanted).encode())
    return None if _status(message) else _stored(message)


async def _read_batch(
    session: Session, stream: str, filter_subject: str, start: int
) -> tuple[list[StreamMessage], int]:
    """Return the next messages from sequence `start` on, and how many more there are."""
    found: list[StreamMessage] = []
    async with session.subscribed() as subscription:
        request = {"seq": start, "next_by_subj": filter_subject, "batch": BATCH}
        await session.client.publish(
            f"$JS.API.DIRECT.GET.{stream}", json.dumps(request).encode(), reply=subscription.subject
        )
        while True:
            message = await session.guard(subscription.next_msg(timeout=SILENCE_SECONDS))
            match _status(message):
                case "":
                    found.append(_stored(message))
                case "204":
                    return found, int((message.headers or {}).get("Nats-Num-Pending", 0))
                case "404":
                    return found, 0
                case "503":
                    raise NoRespondersError
                case status:
                    raise Error(f"nats: reading a batch of {stream} was refused with status {status}")


async def _consume(
    session: Session, stream: str, filter_subject: str, start: int, on_open: Callable[[], None]
) -> AsyncGenerator[StreamMessage, None]:
    """Yield messages from sequence `start` on, through a consumer that ends with this generator."""
    async with session.subscribed() as subscription:
        name = uuid4().hex
        config: dict[str, Any] = {
            "name": name,
            "filter_subject": filter_subject,
            "deliver_subject": subscription.subject,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": start,
            "ack_policy": "none",
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
            "idle_heartbeat": HEARTBEAT_SECONDS * NANOSECONDS,
            "inactive_threshold": HEARTBEAT_SECONDS * NANOSECONDS,
        }
        body = {"stream_name": stream, "config": config}
        await session.call_api(f"CONSUMER.CREATE.{stream}.{name}.{filter_subject}", body)
        on_open()
        delivered = 0
        while True:
            message = await session.guard(subscription.next_msg(timeout=SILENCE_SECONDS))
            if _status(message):
                if int((message.headers or {}).get("Nats-Last-Consumer", delivered)) != delivered:
                    raise _GapError("a heartbeat tells of messages that did not arrive")
                continue
            sequence = message.metadata.sequence
            delivered += 1
            if sequence.consumer != delivered:
                raise _GapError("a message is missing")
            yield StreamMessage(sequence.stream, message.subject, message.data)


def _status(message: Msg) -> str:
    """Return the status that a message carries instead of content, or an empty string."""
    return (message.headers or {}).get("Status", "")


def _stored(message: Msg) -> StreamMessage:
    """Return the stored message that a direct get has answered with."""
    headers = message.headers or {}
    return StreamMessage(int(headers["Nats-Sequence"]), headers["Nats-Subject"], message.data, headers)
