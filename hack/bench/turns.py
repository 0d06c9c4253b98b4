"""Whether a queue was worked off in its order, from when each Deliberation began and ended. Pure."""

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Turn:
    """One Deliberation of the queue: when it was admitted and finished, in seconds of one clock."""

    priority: int
    admitted: float
    finished: float


@dataclass(frozen=True)
class Waits:
    """What a single Deliberation took from its apply, in milliseconds."""

    to_admission: float
    to_answer: float


def count_overtaken(turns: Collection[Turn]) -> int:
    """Return how many finished while one of a higher priority still waited for its turn."""
    return sum(any(_is_before(other, turn) and other.admitted > turn.finished for other in turns) for turn in turns)


def find_most_unfinished(turns: Collection[Turn]) -> int:
    """Return how many of a higher priority were not finished when one finished, at most.

    Those that are in work at the same time may end in any order, so one less than the runner's places is in order.
    """
    return max(sum(_is_before(other, turn) and other.finished > turn.finished for other in turns) for turn in turns)


def _is_before(other: Turn, turn: Turn) -> bool:
    return other.priority > turn.priority


def tabulate(
    turns: Collection[Turn],
    places: int,
    memory: Mapping[int, float],
    idle: Sequence[Waits],
    beside: Sequence[Waits],
) -> str:
    """Return the table. `memory` holds the driver's MiB by how many were answered."""
    answered, mebibytes = zip(*memory.items(), strict=True)
    overtaken, unfinished = count_overtaken(turns), find_most_unfinished(turns)
    lines = [
        f"{'finished while one of a higher priority waited':<52}{overtaken:>8}    (bar 0)",
        f"{'of a higher priority and in work when one finished':<52}{unfinished:>8}    (bar {places - 1})",
        f"{'answered':<36}{''.join(f'{number:>8}' for number in answered)}",
        f"{'driver, MiB':<36}{''.join(f'{size:>8.0f}' for size in mebibytes)}",
        f"{'one alone in another namespace, ms at the median':<52}{'idle':>8}{'beside':>8}",
        _line("apply to Admitted", [one.to_admission for one in idle], [one.to_admission for one in beside]),
        _line("apply to Succeeded", [one.to_answer for one in idle], [one.to_answer for one in beside]),
    ]
    return "\n".join(lines)


def _line(name: str, idle: Sequence[float], beside: Sequence[float]) -> str:
    return f"{name:<52}{statistics.median(idle):>8.0f}{statistics.median(beside):>8.0f}"
