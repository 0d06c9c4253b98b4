"""What a reader should know before trusting a result, as short lines: a word to match on, a colon, an explanation."""

from collections.abc import Iterator
from fractions import Fraction

from deliberation.engine.ranking import Ranking
from deliberation.engine.standing import Standing
from deliberation.protocol.messages import ModelAddress, Stage, Task

LOW_AGREEMENT = Fraction(1, 2)
"""Kendall's W below which judges agree less than moderately (Schmidt, Decision Sciences 28 (1997) 763)."""


def find_cautions(task: Task, standing: Standing, ranking: Ranking) -> tuple[str, ...]:
    """Return the cautions that hold, each at most once, always in the same order."""
    return (
        *_on_models(task),
        *_on_abstentions(task, standing),
        *_on_cut_off_answers(standing),
        *_on_agreement(ranking),
    )


def get_models_of_seats(task: Task) -> tuple[ModelAddress, ...]:
    """Return the models that the seats use, in the order of the task."""
    used = {seat.model for seat in task.seats}
    return tuple(model for model in task.models if model.name in used)


def is_simulated(task: Task) -> bool:
    """Return whether any seat's model only pretends."""
    return any(model.simulated for model in get_models_of_seats(task))


def _on_models(task: Task) -> Iterator[str]:
    if is_simulated(task):
        yield "Simulated: a model of this Council only pretends, so the answers mean nothing"
    weights = {(model.model_name, model.revision) for model in get_models_of_seats(task)}
    if len(task.seats) > 1 and len(weights) == 1:
        yield f"HomogeneousCouncil: all {len(task.seats)} seats use one model, so they tend to make the same mistakes"


def _on_abstentions(task: Task, standing: Standing) -> Iterator[str]:
    stages = tuple(ask.stage for ask in standing.abstentions)
    absent = stages.count(Stage.PROPOSE)
    if absent:
        yield f"QuorumPartial: {absent} of {len(task.seats)} seats gave no proposal"
    silent = stages.count(Stage.JUDGE)
    if silent:
        yield f"BallotsPartial: {silent} of {len(standing.proposals)} judges gave no ballot"


def _on_cut_off_answers(standing: Standing) -> Iterator[str]:
    cut_off = sum(proposal.cut_off for proposal in standing.proposals.values())
    if cut_off:
        answers = f"{cut_off} of {len(standing.proposals)} answers"
        yield f"CutOff: {answers} met the token limit and end in the middle; raise the members' sampling.maxTokens"


def _on_agreement(ranking: Ranking) -> Iterator[str]:
    if ranking.kendall_w is not None and ranking.kendall_w < LOW_AGREEMENT:
        yield f"LowAgreement: the judges' rankings differ much, W={float(ranking.kendall_w):.2f}"
    share = ranking.winner_share
    if share is not None and 2 * share <= 1:
        yield f"LowAgreement: no answer has more than half of the votes; the first has {float(share):.0%}"
