"""What a majority decides before everybody has spoken: who keeps its answer in a debate, and when a vote is over."""

from deliberation.aggregation.answers import read_answer
from deliberation.aggregation.plurality import Cluster, Vote, count_votes, has_unassailable_lead
from deliberation.api.v1alpha1.strategy import Stop
from deliberation.engine.standing import Standing
from deliberation.protocol.messages import ResolvedStrategy, Task


def count_standing(task: Task, standing: Standing) -> tuple[Cluster, ...]:
    """Return the answers that stand now, the one with the most weight first; seats go by the ids of their proposals."""
    weights = {seat.id: seat.weight_milli for seat in task.seats}
    votes = (
        Vote(name, read_answer(proposal.answer, task.answer) or proposal.answer, weights[proposal.seat])
        for name, proposal in standing.proposals.items()
    )
    return count_votes(votes, task.answer)


def find_keepers(task: Task, standing: Standing) -> frozenset[str]:
    """Return the seats that keep their answers: those of the absolute majority, by weight, if there is one.

    The "conformist" rule of Choi, Zhu and Li, arXiv 2508.17536: it turns a debate, whose expected accuracy is that of
    its first round, towards the majority. A majority can then only grow.
    """
    clusters = count_standing(task, standing) if task.keep_if_majority else ()
    if not clusters or 2 * clusters[0].weight_milli <= sum(cluster.weight_milli for cluster in clusters):
        return frozenset()
    return frozenset(clusters[0].seats)


def is_decided(task: Task, standing: Standing) -> bool:
    """Return whether the votes that are out cannot change the winner, and nobody wants to see them all the same.

    With a tolerance for numbers this is never so: a late vote can move the window within which numbers are one answer.
    """
    if task.stop is Stop.NONE or task.strategy is not ResolvedStrategy.VOTE or task.answer.tolerance_milli:
        return False
    weights = {seat.id: seat.weight_milli for seat in task.seats}
    outstanding = sum(weights[ask.seat] for ask in standing.missing)
    return has_unassailable_lead((cluster.weight_milli for cluster in count_standing(task, standing)), outstanding)
