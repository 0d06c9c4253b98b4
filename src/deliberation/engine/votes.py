"""The answers that stand, as votes: each with the weight of its seat behind it."""

from collections.abc import Iterator, Mapping

from deliberation.aggregation.answers import read_answer
from deliberation.aggregation.plurality import Cluster, Vote, count_votes
from deliberation.protocol.entries import Proposal
from deliberation.protocol.tasks import Task


def list_votes(task: Task, proposals: Mapping[str, Proposal]) -> Iterator[Vote]:
    """Yield the votes that the proposals are; they go by the proposals' ids."""
    weights = {seat.id: seat.weight_milli for seat in task.seats}
    for name, proposal in proposals.items():
        answer = read_answer(proposal.answer, task.answer) or proposal.answer
        yield Vote(name, answer, weights[proposal.seat], proposal.usage.completion_tokens)


def count_answers(task: Task, proposals: Mapping[str, Proposal]) -> tuple[Cluster, ...]:
    """Return the answers of the proposals, given by id, with the seats' weight behind them, the heaviest first."""
    return count_votes(list_votes(task, proposals), task.answer)
