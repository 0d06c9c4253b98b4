"""What a strategy costs when every seat answers: the formulas, in calls and in texts that are read and written.

In tokens: every call reads the text that all share and what its stage and role add; what it reads and writes besides is
counted here in answers and critiques. Evidence and comparison: a Panel that lists all proposals once per judge costs
N + N x orders calls, where comparing each pair twice would cost N + N x N x (N - 1).
"""

from dataclasses import dataclass

from deliberation.api.v1alpha1.strategy import Judging, Topology
from deliberation.engine.strategies import get_preset, list_legs
from deliberation.engine.waves import count_samples
from deliberation.protocol.chat import QUESTIONS_AT_A_TIME
from deliberation.protocol.entries import Stage
from deliberation.protocol.tasks import ResolvedStrategy, Task


@dataclass(frozen=True)
class Cost:
    """Calls of one stage in one round, what they read besides the shared text, and what they write."""

    stage: Stage
    round: int
    calls: int
    answers_read: int = 0
    critiques_read: int = 0
    answers_written: int = 0
    critiques_written: int = 0
    scores_written: int = 0


def list_costs(task: Task) -> tuple[Cost, ...]:
    """Return what each stage of the run costs, in their order: an upper bound, for seats may abstain or keep answers.

    A synthesis is taken to read `top_k` proposals and none that a dissenting judge prefers besides.
    """
    return tuple(cost for leg in list_legs(task) if (cost := _count(task, len(task.seats), leg.stage, leg.round)).calls)


def _count(task: Task, seats: int, stage: Stage, number: int) -> Cost:
    others = seats * (seats - 1)
    match stage:
        case Stage.PROPOSE:
            written = seats * count_samples(task)
            return Cost(stage, number, written, answers_written=written)
        case Stage.CRITIQUE:
            calls = seats if seats > 1 else 0
            return Cost(stage, number, calls, answers_read=seats * calls, critiques_written=others)
        case Stage.EXCHANGE if task.strategy is ResolvedStrategy.CRITIQUE:
            calls = seats if seats > 1 else 0
            return Cost(stage, number, calls, answers_read=calls, critiques_read=others, answers_written=calls)
        case Stage.EXCHANGE:
            calls = seats if seats > 1 else 0
            return Cost(stage, number, calls, answers_read=_count_read(task, seats), answers_written=calls)
        case Stage.JUDGE:
            calls = seats * task.orders * _count_calls_of_a_ballot(task, seats) if seats > 1 else 0
            judged = others * count_samples(task) * task.orders
            return Cost(stage, number, calls, answers_read=judged, scores_written=judged)
        case _:
            return _count_synthesis(task, seats, number)


def _count_calls_of_a_ballot(task: Task, seats: int) -> int:
    """Return how many calls a ballot takes: one, but as many as its questions need where the server decides."""
    if task.judging is Judging.BALLOTS:
        return 1
    questions = 2 * (seats - 1) * count_samples(task) * len(task.criteria)
    return -(-questions // QUESTIONS_AT_A_TIME)


def _count_synthesis(task: Task, seats: int, number: int) -> Cost:
    proposals = seats * count_samples(task)
    is_judged = get_preset(task).has_judging
    calls = 0 if is_judged and seats < 2 else 1  # noqa: PLR2004 - one seat alone is not judged
    read = min(task.top_k, proposals) if is_judged else proposals
    return Cost(Stage.SYNTHESISE, number, calls, answers_read=calls * read, answers_written=calls)


def _count_read(task: Task, seats: int) -> int:
    """Return how many answers are read in a round of debate, or in a layer: each seat's own among them."""
    if task.strategy is not ResolvedStrategy.DEBATE or task.topology is Topology.FULL:
        return seats * seats
    if task.topology is Topology.RING:
        return seats * min(3, seats)
    return seats + 2 * (seats - 1)
