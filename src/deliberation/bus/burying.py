"""Tasks that were delivered for the last time in vain: laid aside where the operator finds them."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import aclosing
from functools import partial

from deliberation.bus.connection import Connection
from deliberation.bus.port import BusUnavailableError
from deliberation.bus.reading import StreamMessage, find_at, find_last, follow
from deliberation.bus.records import call_back
from deliberation.bus.writing import create_once
from deliberation.protocol import streams, subjects
from deliberation.protocol.subjects import Run

RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)


async def find_reason(connection: Connection, namespace: str, deliberation_uid: str) -> str | None:
    """Return why the Deliberation's latest task was laid aside, or None when none was."""
    wanted = subjects.dead_of_deliberation(namespace, deliberation_uid)
    message = await find_last(connection, streams.DEAD.name, wanted)
    return message.headers.get(streams.REASON, "") if message else None


async def lay_exhausted_aside(
    connection: Connection, callback: Callable[[Run], None], listening: asyncio.Event
) -> None:
    """Lay aside each task that a runner failed to acknowledge at every delivery, without end.

    Begins with those that the server has told of before, for nobody may have listened then. Each is created once.
    """
    stream = streams.EXHAUSTED
    source = follow(connection, stream.name, stream.subjects[0], from_start=True, on_open=listening.set)
    async with aclosing(source) as messages:
        async for message in messages:
            sequence = _find_sequence(message)
            if sequence is not None:
                await _bury(connection, sequence, callback)


def _find_sequence(message: StreamMessage) -> int | None:
    """Return which task the server speaks of, or None when it does not say."""
    try:
        return int(json.loads(message.data)["stream_seq"])
    except (ValueError, KeyError, TypeError):
        _log.warning("An advisory of NATS names no message: %s", message.subject)
        return None


async def _bury(connection: Connection, sequence: int, callback: Callable[[Run], None]) -> None:
    """Lay one task aside, and tell of it; one that was purged meanwhile is nobody's concern."""
    while True:
        try:
            task = await find_at(connection, streams.TASKS.name, sequence)
            run = subjects.find_task(task.subject) if task else None
            if task is None or run is None:
                return
            letter = subjects.dead_letter_of(task.subject)
            if await create_once(connection, letter, task.data, headers={streams.REASON: streams.RETRIED_IN_VAIN}):
                _log.warning("A task of %s was delivered too often and is laid aside: %s", run.namespace, letter)
                call_back(partial(callback, run), letter)
        except BusUnavailableError as fault:
            _log.info("A task will be laid aside later: %s", fault)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return
