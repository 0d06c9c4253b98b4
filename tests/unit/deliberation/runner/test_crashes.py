"""Every strategy, with a runner that is killed after each write: nothing is lost, and what was repeated is told.

Driver and seats are the real ones; the model is a simulated one, asked without a server.
"""

import asyncio
from pathlib import Path

import pytest

from deliberation.aggregation.plurality import is_probably_decided
from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.bus.memory import MemoryBus
from deliberation.engine.fold import fold
from deliberation.engine.majority import is_unassailable
from deliberation.engine.report import Report, report
from deliberation.engine.standing import Standing
from deliberation.engine.usage import tell_usage
from deliberation.engine.votes import list_votes
from deliberation.protocol.entries import LedgerEntry, Outcome
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task
from deliberation.runner.driver import Driver
from deliberation.runner.seat import Seat
from fakes.every_strategy import TASKS
from fakes.fake_clock import FakeClock
from fakes.simulated_chat import SimulatedChat

RUN = Run("team", "d-1")
ENDLESS = 10**9


class KillingBus(MemoryBus):
    """A memory bus that takes so many entries; then whoever writes waits for ever, as if killed. `revive` ends that."""

    def __init__(self, writes: int = ENDLESS) -> None:
        super().__init__()
        self.killed = asyncio.Event()
        self._writes_left = writes

    async def publish_entry(self, run: Run, entry: LedgerEntry) -> bool:
        if self._writes_left == 0:
            self.killed.set()
            await asyncio.Event().wait()
        self._writes_left -= 1
        return await super().publish_entry(run, entry)

    def revive(self) -> None:
        self._writes_left = ENDLESS


class InOneProcess:
    """Seats in the driver's process, so that they die with it."""

    def __init__(self, bus: MemoryBus, chat: SimulatedChat, folder: Path) -> None:
        self._seat = Seat(bus, chat, folder, FakeClock())
        self.answer = self._seat.answer


def build_driver(task: Task, bus: MemoryBus, chat: SimulatedChat, folder: Path) -> Driver:
    return Driver(task, "runner-1", bus, InOneProcess(bus, chat, folder), FakeClock())


async def run_through(task: Task, folder: Path) -> tuple[Standing, int]:
    """Return how an undisturbed run stands in the end, and how many entries it wrote."""
    bus = KillingBus()
    standing = await build_driver(task, bus, SimulatedChat(), folder).run()
    return standing, len(await bus.read_ledger(RUN))


async def run_and_kill(task: Task, writes: int, folder: Path) -> tuple[Standing, SimulatedChat, int]:
    """Kill the run after so many writes, resume it, and return its end, its calls, and how many were lost."""
    bus, chat = KillingBus(writes), SimulatedChat()
    first = asyncio.create_task(build_driver(task, bus, chat, folder).run())
    await bus.killed.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    answered = sum(entry.usage.calls for entry in fold(task, await bus.read_ledger(RUN)).list_entries())
    lost = chat.calls.total() - answered
    bus.revive()
    return await build_driver(task, bus, chat, folder).run(), chat, lost


def result_of(task: Task, standing: Standing) -> Report:
    """Return what people read, but for the calls that had to be made again, which the transcript's digest covers."""
    told = report(task, standing)
    usage = told.usage.model_copy(update={"repeated_calls": 0})
    return Report(**{**vars(told), "usage": usage, "transcript_sha256": ""})


STOPPING = "vote that stops"
SURE = "vote that stops when it is sure enough"


async def test_a_vote_that_stops_early_has_its_winner_whenever_it_is_killed(tmp_path: Path) -> None:
    """Which votes it still waits for depends on who is quicker after the restart; who wins does not."""
    task = TASKS[STOPPING]
    expected, entries = await run_through(task, tmp_path)
    for writes in range(entries):
        standing, _, _ = await run_and_kill(task, writes, tmp_path)
        result, wanted = report(task, standing).result, report(task, expected).result
        assert result is not None
        assert wanted is not None
        assert result.answer == wanted.answer


async def test_a_vote_that_stops_when_it_is_sure_enough_is_so_whenever_it_is_killed(tmp_path: Path) -> None:
    """Who is quicker after the restart may decide who wins, by this rule; that it was sure does not depend on it."""
    task = TASKS[SURE]
    _, entries = await run_through(task, tmp_path)
    for writes in range(entries):
        standing, _, _ = await run_and_kill(task, writes, tmp_path)
        spared = [ask for ask, one in standing.abstentions.items() if one.reason is AbstentionReason.NOT_NEEDED]
        votes = list_votes(task, standing.proposals)
        assert standing.verdict is not None
        assert standing.verdict.outcome is Outcome.SUCCEEDED
        assert is_unassailable(task, standing, spared) or is_probably_decided(votes, task.answer)


@pytest.mark.parametrize("name", sorted(TASKS.keys() - {STOPPING, SURE}))
async def test_killed_after_any_write_a_run_ends_as_if_nothing_had_been(name: str, tmp_path: Path) -> None:
    task = TASKS[name]
    expected, entries = await run_through(task, tmp_path)
    assert expected.verdict is not None
    assert expected.verdict.outcome is Outcome.SUCCEEDED
    assert tell_usage(task, expected).repeated_calls == 0
    for writes in range(entries):
        standing, chat, lost = await run_and_kill(task, writes, tmp_path)
        assert result_of(task, standing) == result_of(task, expected), writes
        repeated = sum(count - 1 for count in chat.calls.values())
        assert repeated == lost, writes
        assert tell_usage(task, standing).repeated_calls == repeated, writes


async def test_some_kill_costs_calls_and_most_cost_few(tmp_path: Path) -> None:
    """The tests above could not fail if no call were ever in flight when the runner is killed."""
    task = TASKS["critique"]
    _, entries = await run_through(task, tmp_path)
    lost = [(await run_and_kill(task, writes, tmp_path))[2] for writes in range(entries)]
    assert max(lost) == 6
    assert min(lost) == 0
