"""From times to a table. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BASELINE = "ConfigMap: apply to watch event"
TO_TASK = "Deliberation: apply to task in JetStream"
TO_ANSWER = "Deliberation: apply to Succeeded"


@dataclass(frozen=True)
class Summary:
    """Median and ninth decile of some times, in milliseconds."""

    median: float
    p90: float


def summarise(milliseconds: Sequence[float]) -> Summary:
    """Return the summary of at least two times.

    Raises:
        statistics.StatisticsError: there are fewer.
    """
    return Summary(statistics.median(milliseconds), statistics.quantiles(milliseconds, n=10, method="inclusive")[-1])


def tabulate(times: Mapping[str, Sequence[float]], model: str) -> str:
    """Return one line for each measurement: median, ninth decile, and the median's distance from the baseline."""
    baseline = summarise(times[BASELINE]).median
    lines = [f"{'milliseconds':<42}{'median':>9}{'p90':>9}{'over baseline':>15}", f"-- {model}"]
    for name, milliseconds in times.items():
        summary = summarise(milliseconds)
        over = "" if name == BASELINE else f"{summary.median - baseline:+.0f}"
        lines.append(f"{name:<42}{summary.median:>9.0f}{summary.p90:>9.0f}{over:>15}".rstrip())
    return "\n".join(lines)
