"""The table of the engine's bench; how long anything takes is no test."""

from bench.figures import Summary
from bench.overhead_of_the_engine import HEADER, Row, measure


def test_a_row_shows_the_time_of_each_entry_and_the_distance_from_the_baseline() -> None:
    row = str(Row("one look", 10, Summary(200.0, 250.0), Summary(50.0, 60.0)))
    assert row.split() == ["one", "look", "10", "200", "250", "20.00", "4.0"]
    assert len(row) == len(HEADER)


def test_work_is_repeated_until_it_can_be_measured() -> None:
    calls = []
    summary = measure(lambda: calls.append(1), repeats=2)
    assert len(calls) > 2
    assert summary.median >= 0
