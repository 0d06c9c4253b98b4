"""Streams and consumers as `protocol.streams` declares them: made when absent, brought in line when different."""

from typing import Any

from deliberation.bus.connection import Connection
from deliberation.bus.port import BusMisconfiguredError, BusUnavailableError
from deliberation.bus.session import CONSUMER_NOT_FOUND, STREAM_NOT_FOUND, ApiError
from deliberation.protocol import streams
from deliberation.protocol.streams import Stream, TaskConsumer

LEAST_SERVER_VERSION = (2, 11)
SUBJECTS_OVERLAP = 10065
NANOSECONDS = 1_000_000_000


async def ensure_stream(connection: Connection, stream: Stream, replicas: int) -> None:
    """Make the stream so. What an administrator set beside our settings, such as a size limit, stays.

    Raises:
        BusMisconfiguredError: it exists and cannot be changed so, or its subjects belong to another stream.
    """
    wanted = _settings(stream, replicas)
    try:
        current = await _find_settings(connection, stream)
        if current is None:
            await connection.call_api(f"STREAM.CREATE.{stream.name}", wanted)
        elif any(current.get(name, False) != value for name, value in wanted.items()):
            await connection.call_api(f"STREAM.UPDATE.{stream.name}", {**current, **wanted})
    except ApiError as error:
        if error.code == SUBJECTS_OVERLAP:
            advice = (
                f"another stream takes {', '.join(stream.subjects)}: delete it, or give council-operator an account"
            )
        else:
            advice = "change it by hand, or delete it and let the operator make it anew"
        raise BusMisconfiguredError(f"Stream {stream.name} cannot be set up: {error}; {advice}") from None


async def ensure_task_consumer(connection: Connection, consumer: TaskConsumer) -> None:
    """Make the consumer so.

    Raises:
        BusMisconfiguredError: it exists and cannot be changed so.
        BusUnavailableError: there is no stream of tasks yet.
    """
    config = {
        "durable_name": consumer.durable,
        "name": consumer.durable,
        "filter_subject": consumer.filter_subject,
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "ack_wait": consumer.ack_wait_seconds * NANOSECONDS,
        "max_deliver": consumer.max_deliver,
        "inactive_threshold": consumer.inactive_threshold_seconds * NANOSECONDS,
    }
    name = f"CONSUMER.CREATE.{streams.TASKS.name}.{consumer.durable}.{consumer.filter_subject}"
    try:
        await connection.call_api(name, {"stream_name": streams.TASKS.name, "config": config})
    except ApiError as error:
        if error.code == STREAM_NOT_FOUND:
            raise BusUnavailableError(f"Stream {streams.TASKS.name} does not exist yet") from None
        raise BusMisconfiguredError(f"Consumer {consumer.durable} cannot be set up: {error}; delete it") from None


async def remove_task_consumer(connection: Connection, consumer: TaskConsumer) -> None:
    """Remove the consumer, if it is there."""
    try:
        await connection.call_api(f"CONSUMER.DELETE.{streams.TASKS.name}.{consumer.durable}", {})
    except ApiError as error:
        if error.code not in {CONSUMER_NOT_FOUND, STREAM_NOT_FOUND}:
            raise BusUnavailableError(f"Consumer {consumer.durable} cannot be removed: {error}") from None


async def check_server(connection: Connection) -> None:
    """Check that the server can do what we ask of it.

    Raises:
        BusMisconfiguredError: it is too old.
    """
    session = await connection.get_session()
    version = session.client.connected_server_version
    if (version.major, version.minor) < LEAST_SERVER_VERSION:
        least = ".".join(str(part) for part in LEAST_SERVER_VERSION)
        raise BusMisconfiguredError(f"nats-server is {version}: council-operator needs {least} or newer")


async def _find_settings(connection: Connection, stream: Stream) -> dict[str, Any] | None:
    try:
        info = await connection.call_api(f"STREAM.INFO.{stream.name}", {})
    except ApiError as error:
        if error.code == STREAM_NOT_FOUND:
            return None
        raise
    settings: dict[str, Any] = info["config"]
    return settings


def _settings(stream: Stream, replicas: int) -> dict[str, Any]:
    return {
        "name": stream.name,
        "subjects": list(stream.subjects),
        "retention": "limits",
        "storage": "file",
        "discard": "new" if stream.is_once else "old",
        "discard_new_per_subject": stream.is_once,
        "max_msgs_per_subject": 1 if stream.is_once else streams.MAX_EXHAUSTED_PER_RUNNER,
        "max_age": stream.max_age_seconds * NANOSECONDS,
        "max_msg_size": streams.SERVER_MAX_PAYLOAD_BYTES,
        "duplicate_window": streams.DUPLICATE_WINDOW_SECONDS * NANOSECONDS,
        "allow_direct": True,
        "num_replicas": replicas,
    }
