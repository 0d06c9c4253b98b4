"""From proposals and ballots to an order, with its ties, by the rule that the task declares."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from deliberation.aggregation.borda import borda
from deliberation.aggregation.bradley_terry import bradley_terry
from deliberation.aggregation.comparisons import Comparisons, count_pairwise_wins
from deliberation.aggregation.copeland import copeland
from deliberation.aggregation.kemeny import kemeny
from deliberation.aggregation.plurality import Cluster, count_first_places
from deliberation.aggregation.scores import Estimate, is_ahead, order_key
from deliberation.api.v1alpha1.strategy import Aggregation
from deliberation.engine.judgement import CriterionMean, Judgement, judge
from deliberation.engine.standing import Standing
from deliberation.engine.strategies import get_preset
from deliberation.engine.votes import count_answers
from deliberation.protocol.entries import Proposal
from deliberation.protocol.tasks import Task

Groups = list[list[str]]
"""Ids of proposals, best first; those in one group are tied."""


@dataclass(frozen=True)
class Place:
    """Where one proposal stands.

    `rank` counts from 1 and is shared by proposals that nothing decides between; `tied_with` names those among them
    that answer otherwise. `votes_milli` is the weight of all seats with the same answer, where answers are counted; the
    rest is there where proposals are judged: `first_places` counts the judges who put none above it, `pairwise_wins`
    the proposals that it beats by a majority.
    """

    proposal: Proposal
    rank: int
    tied_with: tuple[str, ...] = ()
    score: Estimate | None = None
    criteria: tuple[CriterionMean, ...] = ()
    first_places: int | None = None
    pairwise_wins: int | None = None
    votes_milli: int | None = None


@dataclass(frozen=True)
class Ranking:
    """All proposals, best first; the answers, where they are counted; what the judges said, where there are any.

    `exact` is False when the rule was too dear for so many proposals and another one stood in for it.
    """

    places: tuple[Place, ...]
    clusters: tuple[Cluster, ...] = ()
    judgement: Judgement | None = None
    exact: bool = True

    @property
    def winner_share(self) -> Fraction | None:
        """Return the share of all votes, by weight, that the first answer has, where answers are counted."""
        return find_winner_share(self.clusters)

    @property
    def margin(self) -> Fraction | None:
        """Return the lead of the first answer over the next, as a share of all votes."""
        return find_margin(self.clusters)


def find_winner_share(clusters: tuple[Cluster, ...]) -> Fraction | None:
    """Return the share of all votes, by weight, that the first answer has; None when nobody voted."""
    return _share(clusters[0].weight_milli, clusters) if clusters else None


def find_margin(clusters: tuple[Cluster, ...]) -> Fraction | None:
    """Return the lead of the first answer over the next, as a share of all votes; None when nobody voted."""
    if not clusters:
        return None
    runner_up = clusters[1].weight_milli if len(clusters) > 1 else 0
    return _share(clusters[0].weight_milli - runner_up, clusters)


def _share(weight_milli: int, clusters: tuple[Cluster, ...]) -> Fraction:
    return Fraction(weight_milli, sum(cluster.weight_milli for cluster in clusters))


def rank(task: Task, standing: Standing) -> Ranking:
    """Return the proposals in the order that the task's strategy gives them; the order of arrival plays no part.

    Proposals that nothing decides between still stand in a fixed order: better score, fewer tokens, id.
    """
    return _judge(task, standing) if get_preset(task).has_judging else _count(task, standing)


def _count(task: Task, standing: Standing) -> Ranking:
    clusters = count_answers(task, standing.proposals)
    places = [place for cluster in clusters for place in _places_of(cluster, clusters, standing.proposals)]
    return Ranking(tuple(places), clusters)


def _places_of(cluster: Cluster, clusters: tuple[Cluster, ...], proposals: Mapping[str, Proposal]) -> Iterable[Place]:
    """Yield the places of one answer: its seats share a rank with all that have as much weight behind them."""
    heavier = sum(len(other.seats) for other in clusters if other.weight_milli > cluster.weight_milli)
    equals = (other for other in clusters if other.weight_milli == cluster.weight_milli and other is not cluster)
    tied_with = tuple(seat for other in equals for seat in other.seats)
    return (Place(proposals[seat], heavier + 1, tied_with, votes_milli=cluster.weight_milli) for seat in cluster.seats)


def _judge(task: Task, standing: Standing) -> Ranking:
    judgement = judge(task, standing)
    precedence = {
        name: (order_key(judgement.estimates[name]), proposal.usage.completion_tokens, name)
        for name, proposal in standing.proposals.items()
    }
    ordered = sorted(standing.proposals, key=lambda name: precedence[name])
    groups, exact = _apply_rule(task, judgement, ordered)
    first_places = _count_first_places(judgement)
    wins = count_pairwise_wins(judgement.comparisons)
    places: list[Place] = []
    for group in groups:
        first = len(places) + 1
        for name in group:
            proposal, score = standing.proposals[name], judgement.estimates[name]
            others = tuple(other for other in group if standing.proposals[other].answer != proposal.answer)
            criteria = judgement.criteria.get(name, ())
            was_scored = score if score.count else None
            places.append(Place(proposal, first, others, was_scored, criteria, first_places.get(name, 0), wins[name]))
    return Ranking(tuple(places), judgement=judgement, exact=exact)


def _apply_rule(task: Task, judgement: Judgement, ordered: list[str]) -> tuple[Groups, bool]:
    """Return the proposals in groups of equals, and whether the declared rule put them there exactly.

    Within a group they keep the order in which they are given.
    """
    match task.aggregation:
        case Aggregation.SCORE_MEAN:
            return _tie(ordered, judgement.estimates), True
        case Aggregation.PLURALITY:
            weights = {seat.id: seat.weight_milli for seat in task.seats}
            shares = count_first_places(judgement.scores, weights)
            return _level(ordered, {name: shares.get(name, Fraction(0)) for name in ordered}), True
        case Aggregation.KEMENY:
            consensus = kemeny(judgement.comparisons)
            levels = {name: -place for place, group in enumerate(consensus.groups) for name in group}
            return _level(ordered, levels), consensus.exact
        case rule:
            return _level(ordered, _RULES[rule](judgement.comparisons)), True


_RULES: dict[Aggregation, Callable[[Comparisons], Mapping[str, Fraction | float]]] = {
    Aggregation.BORDA: borda,
    Aggregation.COPELAND: copeland,
    Aggregation.BRADLEY_TERRY: bradley_terry,
}
"""The rules that give each proposal a value, by how it fares against each other one."""


def _level(ordered: list[str], values: Mapping[str, Fraction | float]) -> Groups:
    """Return the proposals in groups of one value, the highest first."""
    by_value = sorted(ordered, key=lambda name: -values[name])
    return [list(group) for _, group in groupby(by_value, key=lambda name: values[name])]


def _tie(ordered: list[str], estimates: Mapping[str, Estimate]) -> Groups:
    """Return the proposals in groups of equals: each score is tied with the next one that it is not ahead of.

    Proposals of one score stand together, whatever their standard errors: their order must not decide who is tied.
    """
    groups: Groups = []
    above: list[str] = []
    for _, equals in groupby(ordered, key=lambda name: order_key(estimates[name])):
        block = list(equals)
        if all(is_ahead(estimates[better], estimates[worse]) for better in above for worse in block):
            groups.append(list(block))
        else:
            groups[-1].extend(block)
        above = block
    return groups


def _count_first_places(judgement: Judgement) -> dict[str, int]:
    """Return for each proposal how many judges put none above it."""
    counts: dict[str, int] = {}
    for scores in judgement.scores.values():
        best = max(scores.values(), default=0)
        for name in (name for name, score in scores.items() if score == best):
            counts[name] = counts.get(name, 0) + 1
    return counts
