"""Drivers on a bus in memory, with fake seats and a clock that stands still."""

from deliberation.bus.memory import MemoryBus
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Outcome
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import ResolvedStrategy, Task
from deliberation.runner.driver import Driver
from fakes.fake_clock import FakeClock
from fakes.fake_seats import FakeSeats
from fakes.tasks import build_task

RUN = Run("team", "d-1")
VOTE = build_task(strategy=ResolvedStrategy.VOTE)
PANEL = build_task()
ANSWERS = {
    ResolvedStrategy.VOTE: {"dev-0": "true", "dev-1": "false", "dev-2": "true"},
    ResolvedStrategy.PANEL: {"dev-0": "a", "dev-1": "bbb", "dev-2": "cc"},
}

KEYS = (
    "proposal.0.dev-0.0",
    "proposal.0.dev-1.0",
    "proposal.0.dev-2.0",
    "ballot.0.dev-0.0",
    "ballot.0.dev-1.0",
    "ballot.0.dev-2.0",
)


def outcome_of(standing: Standing) -> Outcome:
    assert standing.verdict is not None
    return standing.verdict.outcome


def build(task: Task, bus: MemoryBus, clock: FakeClock | None = None) -> tuple[Driver, FakeSeats, FakeClock]:
    seats = FakeSeats(bus, ANSWERS[task.strategy])
    clock = clock or FakeClock()
    return Driver(task, "runner-1", bus, seats, clock), seats, clock
