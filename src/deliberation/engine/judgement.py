"""What the judges said, made comparable: who put what above what, and how well each proposal scored."""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from fractions import Fraction

from deliberation.aggregation.comparisons import Comparisons, compare
from deliberation.aggregation.scores import Estimate, estimate, standardise
from deliberation.api.v1alpha1.deliberation import Criterion
from deliberation.api.v1alpha1.strategy import Aggregation
from deliberation.engine.reading import identify_models
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Ballot, Score
from deliberation.protocol.tasks import Task

Scores = Mapping[str, Mapping[str, int]]
"""For each judge what it gave each proposal: the sum of its scores, each times the weight of its criterion."""


@dataclass(frozen=True)
class CriterionMean:
    """The mean of the raw scores, 1 to 5, that one criterion of one proposal got."""

    name: str
    mean: Fraction
    ballots: int


@dataclass(frozen=True)
class Judgement:
    """The judges' scores, all their ballots together, and what follows from them for each proposal, by id.

    `readings` holds the scores of the judges that read the proposals twice, each reading by itself. `partial` says that
    a judge's view of its own model's proposals had to count, because nobody else judged them.
    """

    scores: Scores
    readings: tuple[tuple[Mapping[str, int], Mapping[str, int]], ...]
    comparisons: Comparisons
    estimates: Mapping[str, Estimate]
    criteria: Mapping[str, tuple[CriterionMean, ...]]
    partial: bool


def judge(task: Task, standing: Standing) -> Judgement:
    """Return what the ballots say, each with its judge's weight.

    A judge who read in two orders is heard once, with both its ballots added up; one of them alone does where the other
    did not come. What a judge says of a proposal of its own model, it says in its own cause: that counts only where no
    judge of another model could be heard.
    """
    scores = _add_up(task, standing)
    weights = {seat.id: seat.weight_milli for seat in task.seats}
    stakes = _find_stakes(task, standing)
    comparisons = compare(tuple(standing.proposals), scores, weights, stakes)
    given, partial = _standardise(scores, stakes)
    is_akin = any(name in scores[seat] for seat, name in stakes)
    return Judgement(
        scores=scores,
        readings=_find_readings(task, standing),
        comparisons=comparisons,
        estimates={
            name: estimate(list(given.get(name, {}).values()), [weights[judge] for judge in given.get(name, {})])
            for name in standing.proposals
        },
        criteria=_average_criteria(task.criteria, standing),
        partial=partial or comparisons.partial or (task.aggregation is Aggregation.PLURALITY and is_akin),
    )


def _weigh(task: Task, ballot: Ballot) -> dict[str, int]:
    weights = {criterion.name: criterion.weight_milli for criterion in task.criteria}
    return {
        score.proposal: sum(weights[name] * value for name, value in score.criteria.items()) for score in ballot.scores
    }


def _add_up(task: Task, standing: Standing) -> dict[str, Counter[str]]:
    sums: dict[str, Counter[str]] = {}
    for (seat, _), ballot in standing.ballots.items():
        sums.setdefault(seat, Counter()).update(_weigh(task, ballot))
    return sums


def _find_readings(task: Task, standing: Standing) -> tuple[tuple[Mapping[str, int], Mapping[str, int]], ...]:
    twice = [
        (ballot, standing.ballots.get((seat, 1))) for (seat, order), ballot in standing.ballots.items() if not order
    ]
    return tuple((_weigh(task, first), _weigh(task, second)) for first, second in twice if second)


def _find_stakes(task: Task, standing: Standing) -> frozenset[tuple[str, str]]:
    """Return the judges and proposals of one model."""
    models = identify_models(task)
    judges = {seat for seat, _ in standing.ballots}
    return frozenset(
        (judge, name)
        for name, proposal in standing.proposals.items()
        for judge in judges
        if models[judge] == models[proposal.seat]
    )


def _standardise(scores: Scores, stakes: AbstractSet[tuple[str, str]]) -> tuple[dict[str, dict[str, float]], bool]:
    """Return for each proposal the z-scores of its judges, and whether some had a stake for want of others.

    A judge's scale is taken from all that it scored: what it gave its own model's proposals is part of its scale, too.
    """
    given: dict[str, dict[str, float]] = {}
    for judge, sums in scores.items():
        for name, z_score in standardise({name: float(total) for name, total in sums.items()}).items():
            given.setdefault(name, {})[judge] = z_score
    partial = False
    for name, z_scores in given.items():
        fair = {judge: z_score for judge, z_score in z_scores.items() if (judge, name) not in stakes}
        partial = partial or not fair
        given[name] = fair or z_scores
    return given, partial


def _average_criteria(criteria: tuple[Criterion, ...], standing: Standing) -> dict[str, tuple[CriterionMean, ...]]:
    """Return the raw means of each proposal that was scored, over all its ballots."""
    given: dict[str, list[Score]] = {}
    for ballot in standing.ballots.values():
        for score in ballot.scores:
            given.setdefault(score.proposal, []).append(score)
    return {
        name: tuple(
            CriterionMean(
                criterion.name,
                Fraction(sum(score.criteria[criterion.name] for score in scores), len(scores)),
                len(scores),
            )
            for criterion in criteria
        )
        for name, scores in given.items()
    }
