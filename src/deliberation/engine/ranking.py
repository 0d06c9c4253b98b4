"""From proposals and ballots to an order, with its ties."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from deliberation.aggregation.agreement import kendall_w
from deliberation.aggregation.answers import read_answer
from deliberation.aggregation.plurality import Cluster, Vote, count_votes
from deliberation.aggregation.scores import Estimate, estimate, is_ahead, order_key, standardise
from deliberation.api.v1alpha1.deliberation import Criterion
from deliberation.engine.standing import Standing
from deliberation.engine.strategies import get_preset
from deliberation.protocol.messages import Proposal, Score, Task


@dataclass(frozen=True)
class CriterionMean:
    """The mean of the raw scores, 1 to 5, that one criterion of one proposal got."""

    name: str
    mean: Fraction
    ballots: int


@dataclass(frozen=True)
class Place:
    """Where one proposal stands.

    `rank` counts from 1 and is shared by proposals that nothing decides between; `tied_with` names those among them
    that answer otherwise. `score` is a Panel's, `votes_milli` a Vote's: the weight of all seats with the same answer.
    """

    proposal: Proposal
    rank: int
    tied_with: tuple[str, ...] = ()
    score: Estimate | None = None
    criteria: tuple[CriterionMean, ...] = ()
    votes_milli: int | None = None


@dataclass(frozen=True)
class Ranking:
    """All proposals, best first; a Vote's answers; how far a Panel's judges agree, where that is defined."""

    places: tuple[Place, ...]
    clusters: tuple[Cluster, ...] = ()
    kendall_w: Fraction | None = None

    @property
    def winner_share(self) -> Fraction | None:
        """Return the share of all votes, by weight, that the first answer of a Vote has."""
        return _share(self.clusters[0].weight_milli, self.clusters) if self.clusters else None

    @property
    def margin(self) -> Fraction | None:
        """Return the lead of the first answer of a Vote over the next, as a share of all votes."""
        if not self.clusters:
            return None
        runner_up = self.clusters[1].weight_milli if len(self.clusters) > 1 else 0
        return _share(self.clusters[0].weight_milli - runner_up, self.clusters)


def _share(weight_milli: int, clusters: tuple[Cluster, ...]) -> Fraction:
    return Fraction(weight_milli, sum(cluster.weight_milli for cluster in clusters))


def rank(task: Task, standing: Standing) -> Ranking:
    """Return the proposals in the order that the task's strategy gives them; the order of arrival plays no part.

    Proposals that nothing decides between still stand in a fixed order: better score, fewer tokens, name of the seat.
    """
    return _judge(task, standing) if get_preset(task).has_judging else _count(task, standing)


def _count(task: Task, standing: Standing) -> Ranking:
    weights = _weights(task)
    votes = (
        Vote(
            seat,
            read_answer(proposal.answer, task.answer) or proposal.answer,
            weights[proposal.seat],
            proposal.usage.completion_tokens,
        )
        for seat, proposal in standing.proposals.items()
    )
    clusters = count_votes(votes, task.answer)
    places = [place for cluster in clusters for place in _places_of(cluster, clusters, standing.proposals)]
    return Ranking(tuple(places), clusters)


def _places_of(cluster: Cluster, clusters: tuple[Cluster, ...], proposals: Mapping[str, Proposal]) -> Iterable[Place]:
    """Yield the places of one answer: its seats share a rank with all that have as much weight behind them."""
    heavier = sum(len(other.seats) for other in clusters if other.weight_milli > cluster.weight_milli)
    equals = (other for other in clusters if other.weight_milli == cluster.weight_milli and other is not cluster)
    tied_with = tuple(seat for other in equals for seat in other.seats)
    return (Place(proposals[seat], heavier + 1, tied_with, votes_milli=cluster.weight_milli) for seat in cluster.seats)


def _judge(task: Task, standing: Standing) -> Ranking:
    weighted = _weigh_ballots(task, standing)
    estimates = _estimate_scores(task, weighted, standing)
    ordered = sorted(
        standing.proposals.values(),
        key=lambda proposal: (
            order_key(estimates[proposal.id]),
            proposal.usage.completion_tokens,
            proposal.seat,
        ),
    )
    given = _scores_by_proposal(standing)
    places: list[Place] = []
    for group in _tie(ordered, estimates):
        first = len(places) + 1
        for proposal in group:
            others = tuple(other.id for other in group if other.answer != proposal.answer)
            score = estimates[proposal.id]
            criteria = _average_criteria(task.criteria, given[proposal.id])
            places.append(Place(proposal, first, others, score if score.count else None, criteria))
    return Ranking(tuple(places), kendall_w=_find_w(weighted))


def _find_w(weighted: Mapping[str, Mapping[str, int]]) -> Fraction | None:
    """Return Kendall's W, or None where it is not defined: judges of different proposals have no common order."""
    items = {name for scored in weighted.values() for name in scored}
    is_defined = all(scored.keys() == items - {judge} for judge, scored in weighted.items())
    return kendall_w(weighted) if is_defined else None


def _tie(ordered: list[Proposal], estimates: Mapping[str, Estimate]) -> list[list[Proposal]]:
    """Return the proposals in groups of equals: each score is tied with the next one that it is not ahead of.

    Proposals of one score stand together, whatever their standard errors: their order must not decide who is tied.
    """
    groups: list[list[Proposal]] = []
    above: list[Proposal] = []
    for _, equals in groupby(ordered, key=lambda proposal: order_key(estimates[proposal.id])):
        block = list(equals)
        leads = (is_ahead(estimates[better.id], estimates[worse.id]) for better in above for worse in block)
        if all(leads):
            groups.append(list(block))
        else:
            groups[-1].extend(block)
        above = block
    return groups


def _weigh_ballots(task: Task, standing: Standing) -> dict[str, dict[str, int]]:
    """Return for each judge the sum of its scores of each proposal, each times the weight of its criterion."""
    weights = {criterion.name: criterion.weight_milli for criterion in task.criteria}
    return {
        ballot.judge: {
            score.proposal: sum(weights[name] * value for name, value in score.criteria.items())
            for score in ballot.scores
        }
        for ballot in standing.ballots.values()
    }


def _estimate_scores(task: Task, weighted: Mapping[str, Mapping[str, int]], standing: Standing) -> dict[str, Estimate]:
    """Return for each proposal the mean of its judges' z-scores, weighted by the judges' seats."""
    weights = _weights(task)
    total = sum(criterion.weight_milli for criterion in task.criteria)
    given: dict[str, list[tuple[float, int]]] = {seat: [] for seat in standing.proposals}
    for judge, sums in weighted.items():
        z_scores = standardise({seat: weighted_sum / total for seat, weighted_sum in sums.items()})
        for seat, z_score in z_scores.items():
            given[seat].append((z_score, weights[judge]))
    return {
        seat: estimate([value for value, _ in pairs], [weight for _, weight in pairs]) for seat, pairs in given.items()
    }


def _scores_by_proposal(standing: Standing) -> dict[str, list[Score]]:
    given: dict[str, list[Score]] = {seat: [] for seat in standing.proposals}
    for ballot in standing.ballots.values():
        for score in ballot.scores:
            given[score.proposal].append(score)
    return given


def _average_criteria(criteria: tuple[Criterion, ...], given: list[Score]) -> tuple[CriterionMean, ...]:
    if not given:
        return ()
    return tuple(
        CriterionMean(
            criterion.name, Fraction(sum(score.criteria[criterion.name] for score in given), len(given)), len(given)
        )
        for criterion in criteria
    )


def _weights(task: Task) -> dict[str, int]:
    return {seat.id: seat.weight_milli for seat in task.seats}
