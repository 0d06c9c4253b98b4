"""The table of the engine's bench; how long anything takes is no test."""

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from bench.figures import Summary
from bench.overhead_of_the_engine import HEADER, Row, live_through, look, measure
from bench.recorded import build_task, record_run
from deliberation.protocol.entries import LedgerRecord
from deliberation.protocol.tasks import ResolvedStrategy, Task

Work = Callable[[Task, tuple[LedgerRecord, ...]], None]


def count_calls_per_entry(work: Work, seats: int, rounds: int) -> float:
    """Return how many functions are called, which is the same on every machine, and when it is busy."""
    task = build_task(ResolvedStrategy.DEBATE, seats, rounds)
    records, calls = record_run(task), 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        work(task, records)
    finally:
        sys.setprofile(None)
    return calls / len(records)


def test_a_row_shows_the_time_of_each_entry_and_the_distance_from_the_baseline() -> None:
    row = str(Row("one look", 10, Summary(200.0, 250.0), Summary(50.0, 60.0)))
    assert row.split() == ["one", "look", "10", "200", "250", "20.00", "4.0"]
    assert len(row) == len(HEADER)


def test_work_is_repeated_until_it_can_be_measured() -> None:
    calls = []
    summary = measure(lambda: calls.append(1), repeats=2)
    assert len(calls) > 2
    assert summary.median >= 0


@pytest.mark.parametrize("work", [look, live_through])
def test_an_entry_of_a_large_debate_takes_no_more_than_one_of_a_small_one(work: Work) -> None:
    assert count_calls_per_entry(work, 24, 8) <= count_calls_per_entry(work, 3, 2)
