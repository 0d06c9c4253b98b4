"""A task on its way from the in-memory double of the bus to a runner."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deliberation.bus.records import find_task_in
from deliberation.protocol import streams, subjects
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task

if TYPE_CHECKING:
    from deliberation.bus.memory import MemoryBus


@dataclass
class Attempt:
    """How far the deliveries of one task have come."""

    deliveries: int = 0
    due: float = 0.0
    done: bool = False


@dataclass
class MemoryDelivery:
    """A task in one runner's hands."""

    bus: "MemoryBus"
    subject: str
    data: bytes
    attempt: Attempt
    deliveries: int

    @property
    def task(self) -> Task | None:
        """The task, or None when the message is malformed."""
        return find_task_in(self.data)

    @property
    def run(self) -> Run | None:
        """The run that the message is filed under."""
        return subjects.find_task(self.subject)

    @property
    def redelivered(self) -> int:
        """How often it was delivered before."""
        return self.deliveries - 1

    @property
    def is_last(self) -> bool:
        """True when it will not be delivered again."""
        return self.deliveries >= streams.TaskConsumer.max_deliver

    async def ack(self) -> None:
        """Never deliver it again."""
        self._own().done = True

    async def nak(self, delay_seconds: float) -> None:
        """Deliver it again after the delay."""
        self._own().due = asyncio.get_running_loop().time() + delay_seconds
        self.bus.wake()

    async def in_progress(self) -> None:
        """Start the wait for the acknowledgement anew."""
        self._own().due = asyncio.get_running_loop().time() + self.bus.ack_wait_seconds

    async def lay_aside(self, reason: str) -> None:
        """Keep it among the dead ones, and never deliver it again."""
        self.bus.check_connected()
        self._own().done = True
        self.bus.dead.setdefault(subjects.dead_letter_of(self.subject), (reason, self.data))

    def _own(self) -> Attempt:
        """Return the state to change, or a copy when the word comes too late or does not arrive."""
        current = self.bus.is_connected and self.attempt.deliveries == self.deliveries
        return self.attempt if current else Attempt()
