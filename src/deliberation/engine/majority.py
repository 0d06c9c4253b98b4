"""What a majority decides before everybody has spoken: who keeps its answer in a debate, and when a vote is over."""

from collections.abc import Iterable

from deliberation.aggregation import plurality
from deliberation.api.v1alpha1.strategy import Stop
from deliberation.engine.asks import Ask
from deliberation.engine.standing import Standing
from deliberation.engine.votes import count_answers, list_votes
from deliberation.protocol.tasks import ResolvedStrategy, Task


def find_keepers(task: Task, standing: Standing) -> frozenset[str]:
    """Return the seats that keep their answers: those of the absolute majority, by weight, if there is one.

    The "conformist" rule of Choi, Zhu and Li, arXiv 2508.17536: it turns a debate, whose expected accuracy is that of
    its first round, towards the majority. A majority can then only grow.
    """
    if not task.keep_if_majority:
        return frozenset()
    clusters = count_answers(task, standing.proposals)
    if not clusters or 2 * clusters[0].weight_milli <= sum(cluster.weight_milli for cluster in clusters):
        return frozenset()
    return frozenset(clusters[0].seats)


def is_decided(task: Task, standing: Standing) -> bool:
    """Return whether the votes that are out need not be waited for, by the rule that the task declares.

    Unassailable: they cannot change the winner. Beta: that, or they are unlikely to.
    """
    if task.stop is Stop.NONE or task.strategy is not ResolvedStrategy.VOTE:
        return False
    if is_unassailable(task, standing, standing.missing):
        return True
    votes = list_votes(task, standing.proposals)
    return task.stop is Stop.BETA and plurality.is_probably_decided(votes, task.answer)


def is_unassailable(task: Task, standing: Standing, spared: Iterable[Ask]) -> bool:
    """Return whether the spared votes, whatever they are, leave the winner alone in its place."""
    weights = {seat.id: seat.weight_milli for seat in task.seats}
    outstanding = sum(weights[ask.seat] for ask in spared)
    return plurality.is_decided(list_votes(task, standing.proposals), outstanding, task.answer)
