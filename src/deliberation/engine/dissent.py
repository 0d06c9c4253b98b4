"""What the writer of a synthesis has in view: the best proposals in their order, and the dissent."""

from collections import Counter
from dataclasses import dataclass

from deliberation.engine.ranking import rank
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Proposal
from deliberation.protocol.tasks import Task


@dataclass(frozen=True)
class View:
    """The best proposals in their order, those included that a dissenting judge prefers.

    `dissent` counts the dissenting judges by what they prefer: who has several favourites, the best proposal among
    them, does not dissent, nor does who could not score the best one.
    """

    proposals: tuple[Proposal, ...]
    judges: int
    dissent: Counter[str]


def view_best(task: Task, standing: Standing) -> View:
    """Return the first `top_k` proposals of the ranking, and what judges prefer to the first."""
    ranking = rank(task, standing)
    ordered = tuple(place.proposal for place in ranking.places)
    best = ordered[0].id
    sums = ranking.judgement.scores if ranking.judgement else {}
    dissent: Counter[str] = Counter()
    for given in sums.values():
        most = max(given.values())
        if given.get(best, most) < most:
            dissent[next(proposal.id for proposal in ordered if given.get(proposal.id) == most)] += 1
    shown = {proposal.id for proposal in ordered[: task.top_k]} | dissent.keys()
    return View(tuple(proposal for proposal in ordered if proposal.id in shown), len(sums), dissent)
