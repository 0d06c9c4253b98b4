"""A task on its way from JetStream to a runner."""

import json
import logging
from functools import cached_property

from nats.aio.msg import Msg

from deliberation.bus.connection import Connection
from deliberation.bus.port import BusUnavailableError
from deliberation.bus.records import find_task_in
from deliberation.bus.writing import create_once
from deliberation.protocol import streams, subjects
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task

MAX_REASON_CHARACTERS = 200
NANOSECONDS = 1_000_000_000

_log = logging.getLogger(__name__)


class JetStreamDelivery:
    """A task in one runner's hands; see `port.Delivery`."""

    def __init__(self, connection: Connection, message: Msg) -> None:
        self._connection = connection
        self._message = message

    @cached_property
    def task(self) -> Task | None:
        """The task, or None when the message is malformed."""
        return find_task_in(self._message.data)

    @property
    def run(self) -> Run | None:
        """The run that the message is filed under, or None when its subject names none."""
        return subjects.find_task(self._message.subject)

    @property
    def redelivered(self) -> int:
        """How often it was delivered before."""
        return self._message.metadata.num_delivered - 1

    @property
    def is_last(self) -> bool:
        """True when the server will not deliver it again."""
        return self._message.metadata.num_delivered >= streams.TaskConsumer.max_deliver

    async def ack(self) -> None:
        """The work is done: never deliver it again."""
        await self._say(b"+ACK")

    async def nak(self, delay_seconds: float) -> None:
        """Deliver it again, to whoever asks, but not before `delay_seconds` are over."""
        await self._say(b"-NAK " + json.dumps({"delay": int(delay_seconds * NANOSECONDS)}).encode())

    async def in_progress(self) -> None:
        """The work goes on: the wait for the acknowledgement starts anew."""
        await self._say(b"+WPI")

    async def lay_aside(self, reason: str) -> None:
        """Keep the message among the dead ones, with the reason, and never deliver it again."""
        subject = subjects.dead_letter_of(self._message.subject)
        await create_once(
            self._connection, subject, self._message.data, headers={streams.REASON: reason[:MAX_REASON_CHARACTERS]}
        )
        await self._say(b"+TERM")

    async def _say(self, word: bytes) -> None:
        """Tell the server and wait for its confirmation. A server that was killed may have forgotten the delivery."""
        try:
            await self._connection.ask(self._message.reply, word)
        except BusUnavailableError as fault:
            _log.info("A task will come again: %s", fault)
