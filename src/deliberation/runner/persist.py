"""Reading and writing the ledger through an outage of the bus: an answer that was paid for is not thrown away."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from deliberation.bus.port import Bus, BusUnavailableError
from deliberation.protocol.entries import LedgerEntry
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task
from deliberation.runner.clock import Clock, sleep

GRACE_MS = 15_000
"""How long after the deadline of a run its entries are still tried: then the operator ends the run itself."""

FIRST_PAUSE_MS = 100
LONGEST_PAUSE_MS = 2_000

Result = TypeVar("Result")


def run_of(task: Task) -> Run:
    """Return what the task and its ledger are filed under."""
    return Run(task.namespace, task.deliberation_uid, task.attempt)


async def persist(bus: Bus, task: Task, entry: LedgerEntry, clock: Clock) -> bool:
    """Write `entry` into the task's ledger, once; return False when its place was taken already.

    While the bus is away, tries again until the deadline and GRACE_MS after it.

    Raises:
        BusUnavailableError: the bus stayed away.
        MessageTooLargeError: the entry does not fit the bus.
    """
    return await insist(lambda: bus.publish_entry(run_of(task), entry), task, clock)


async def insist(work: Callable[[], Awaitable[Result]], task: Task, clock: Clock) -> Result:
    """Return what `work` returns, which must be safe to repeat.

    While the bus is away, tries again until the deadline and GRACE_MS after it.

    Raises:
        BusUnavailableError: the bus stayed away.
    """
    pause_ms = FIRST_PAUSE_MS
    while True:
        try:
            return await work()
        except BusUnavailableError:
            if clock.now_ms() >= task.deadline_ms + GRACE_MS:
                raise
        await sleep(clock, pause_ms)
        pause_ms = min(2 * pause_ms, LONGEST_PAUSE_MS)
