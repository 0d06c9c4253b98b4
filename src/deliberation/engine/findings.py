"""What an ended run shows when it is looked at closely: agreement, diversity, dissent and bias, each measured once."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from deliberation.aggregation.agreement import agree_on_answers, agree_pairwise, kendall_w
from deliberation.aggregation.bias import correlate_with_length, measure_position_consistency
from deliberation.aggregation.diversity import measure_diversity
from deliberation.aggregation.plurality import Cluster
from deliberation.engine.judgement import Judgement
from deliberation.engine.ranking import Ranking, rank
from deliberation.engine.reading import identify_models
from deliberation.engine.standing import Standing
from deliberation.engine.votes import count_answers
from deliberation.protocol.entries import Proposal
from deliberation.protocol.tasks import ResolvedStrategy, Task


@dataclass(frozen=True)
class Findings:
    """What was found; what is not defined, or not known yet, is None or empty.

    `positions` are the ids of proposals that say the same, best first, those of the result in front. `models` counts
    the different weights behind the proposals. `baseline` are a Debate's answers before its first exchange.
    """

    ranking: Ranking
    kendall_w: Fraction | None = None
    pairwise: Fraction | None = None
    mean_distance: float | None = None
    positions: tuple[tuple[str, ...], ...] = ()
    models: int = 0
    position_consistency: Fraction | None = None
    length_correlation: float | None = None
    baseline: tuple[Cluster, ...] = ()


NOTHING = Findings(Ranking(()))
"""What is found before the end: until the verdict is in, nobody knows what counts."""


def examine(task: Task, standing: Standing) -> Findings:
    """Return the findings about a run that has its verdict, or `NOTHING`."""
    if standing.verdict is None:
        return NOTHING
    ranking = rank(task, standing)
    judgement = ranking.judgement
    diversity = measure_diversity(_find_wordings(task, standing))
    models = identify_models(task)
    return Findings(
        ranking=ranking,
        kendall_w=kendall_w(judgement.scores) if judgement else None,
        pairwise=_find_pairwise(task, ranking),
        mean_distance=diversity.mean_distance,
        positions=_order_positions(ranking, tuple(_find_positions(task, standing, ranking, diversity.clusters))),
        models=len({models[proposal.seat] for proposal in standing.proposals.values()}),
        position_consistency=measure_position_consistency(judgement.readings) if judgement else None,
        length_correlation=_correlate_with_length(standing, judgement) if judgement else None,
        baseline=_find_baseline(task, standing),
    )


def counts_answers(task: Task, ranking: Ranking) -> bool:
    """Return whether the number of seats behind an answer means something: texts of a mixture hardly ever agree."""
    return bool(ranking.clusters) and (task.strategy is not ResolvedStrategy.MIXTURE_OF_AGENTS or task.answer.is_closed)


def _find_wordings(task: Task, standing: Standing) -> dict[str, str]:
    """Return by id what can be compared: open answers, and the reasons where answers are closed, if any were given."""
    if not task.answer.is_closed:
        return {name: proposal.answer for name, proposal in standing.proposals.items()}
    return {name: proposal.rationale for name, proposal in standing.proposals.items() if proposal.rationale}


def _measure_length(proposal: Proposal) -> int:
    return len(proposal.answer) + len(proposal.rationale)


def _find_pairwise(task: Task, ranking: Ranking) -> Fraction | None:
    if ranking.judgement:
        return agree_pairwise(ranking.judgement.scores)
    return (
        agree_on_answers(len(cluster.seats) for cluster in ranking.clusters) if counts_answers(task, ranking) else None
    )


def _find_positions(
    task: Task, standing: Standing, ranking: Ranking, alike: tuple[tuple[str, ...], ...]
) -> Iterable[tuple[str, ...]]:
    """Return the ids of proposals that say the same: that give one answer or, where it is open, much the same text."""
    if counts_answers(task, ranking):
        return (cluster.seats for cluster in ranking.clusters)
    if task.answer.is_closed:
        return (cluster.seats for cluster in count_answers(task, standing.proposals))
    return alike


def _order_positions(ranking: Ranking, positions: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """Return the positions, that of the best proposal first, then the largest; each with its best proposal first."""
    place = {found.proposal.id: number for number, found in enumerate(ranking.places)}
    inside = [tuple(sorted(position, key=lambda name: place[name])) for position in positions]
    return tuple(sorted(inside, key=lambda names: (place[names[0]] > 0, -len(names), place[names[0]])))


def _correlate_with_length(standing: Standing, judgement: Judgement) -> float | None:
    scores = {name: score.mean for name, score in judgement.estimates.items() if score.count}
    return correlate_with_length(scores, {name: _measure_length(standing.proposals[name]) for name in scores})


def _find_baseline(task: Task, standing: Standing) -> tuple[Cluster, ...]:
    is_debate = task.strategy is ResolvedStrategy.DEBATE
    return count_answers(task, standing.rounds[0]) if is_debate and standing.rounds else ()
