"""The table of a measurement."""

import statistics

import pytest

from bench.figures import BASELINE, TO_ANSWER, TO_TASK, Summary, summarise, tabulate


def test_a_summary_is_median_and_ninth_decile() -> None:
    assert summarise([float(number) for number in range(1, 12)]) == Summary(6.0, 10.0)


def test_one_time_is_no_measurement() -> None:
    with pytest.raises(statistics.StatisticsError):
        summarise([1.0])


def test_the_table_names_the_model_and_the_distance_from_the_baseline() -> None:
    times = {BASELINE: [10.0, 10.0], TO_TASK: [60.0, 60.0], TO_ANSWER: [400.0, 500.0]}
    assert (
        tabulate(times, "Council bench, simulated model")
        == """\
milliseconds                                 median      p90  over baseline
-- Council bench, simulated model
ConfigMap: apply to watch event                  10       10
Deliberation: apply to task in JetStream         60       60            +50
Deliberation: apply to Succeeded                450      490           +440"""
    )
