"""Create-once writing: whoever writes a subject first decides, everybody else learns that it is there already."""

import json

from deliberation.bus.connection import Connection
from deliberation.bus.port import BusUnavailableError, MessageTooLargeError
from deliberation.bus.session import STREAM_NOT_FOUND, ApiError
from deliberation.protocol import streams
from deliberation.protocol.streams import Stream

ALREADY_THERE = (10071, 10077)
"""Wrong last sequence of the subject, and its one message is there."""

MESSAGE_TOO_LARGE = 10054

CREATE_ONCE = {"Nats-Expected-Last-Subject-Sequence": "0"}
"""The server refuses the message when its subject has one. Holds over restarts and without limit in time.

`Nats-Msg-Id` would add nothing to it but a fault: for the length of the duplicate window the server would report as
there what has been purged.
"""


async def create_once(connection: Connection, subject: str, data: bytes, headers: dict[str, str] | None = None) -> bool:
    """Write `data` unless `subject` has a message already; return False if it has.

    Raises:
        MessageTooLargeError: more than the server or the stream takes.
        BusUnavailableError: the server did not confirm the write in time.
    """
    await _check_size(connection, subject, data)
    message = await connection.ask(subject, data, {**CREATE_ONCE, **(headers or {})})
    error = json.loads(message.data).get("error")
    if error is None:
        return True
    if error.get("err_code") in ALREADY_THERE:
        return False
    if error.get("err_code") == MESSAGE_TOO_LARGE:
        raise MessageTooLargeError(f"{subject}: {len(data)} bytes are more than its stream takes")
    raise BusUnavailableError(f"JetStream refused to store {subject}: {error.get('description')}")


async def purge(connection: Connection, stream: Stream, filter_subject: str) -> None:
    """Remove every message whose subject matches. A stream that does not exist holds none.

    Raises:
        BusUnavailableError: the server did not confirm it in time.
    """
    try:
        await connection.call_api(f"STREAM.PURGE.{stream.name}", {"filter": filter_subject})
    except ApiError as error:
        if error.code != STREAM_NOT_FOUND:
            raise BusUnavailableError(f"JetStream refused to purge {stream.name}: {error}") from None


async def _check_size(connection: Connection, subject: str, data: bytes) -> None:
    """Refuse here what the server would answer by closing the connection."""
    session = await connection.get_session()
    most = min(streams.MAX_MESSAGE_BYTES, session.client.max_payload - streams.HEADER_BYTES)
    if len(data) > most:
        raise MessageTooLargeError(
            f"{subject}: {len(data)} bytes are more than the {most} that NATS takes; shorten the texts, or raise "
            f"max_payload of nats-server up to {streams.SERVER_MAX_PAYLOAD_BYTES}"
        )
