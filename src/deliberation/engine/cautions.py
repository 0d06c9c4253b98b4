"""What a reader should know before trusting a result, as short lines: a word to match on, a colon, an explanation."""

from collections.abc import Iterator
from fractions import Fraction

from deliberation.aggregation.comparisons import has_cycle
from deliberation.aggregation.plurality import ENOUGH_CONFIDENCE
from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.api.v1alpha1.strategy import Judging
from deliberation.engine.findings import Findings
from deliberation.engine.majority import is_unassailable
from deliberation.engine.reading import identify_models
from deliberation.engine.standing import Standing
from deliberation.engine.strategies import get_synthesiser
from deliberation.protocol.entries import Outcome, Proposal, Stage, Synthesis
from deliberation.protocol.tasks import ModelAddress, Task

LOW_AGREEMENT = Fraction(1, 2)
"""Kendall's W below which judges agree less than moderately (Schmidt, Decision Sciences 28 (1997) 763)."""

LOW_PAIRWISE_AGREEMENT = Fraction(2, 3)
"""Where W is not defined: about what many judges with W = 1/2 have; chance gives 1/2."""

LOW_DIVERSITY = 0.3
"""Mean distance below which proposals share so much of their wording that they may be echoes of each other."""

LOW_CONSISTENCY = Fraction(13, 20)
"""GPT-4's own share of verdicts that survive a change of order (Zheng et al., arXiv 2306.05685)."""


def find_cautions(task: Task, standing: Standing, findings: Findings) -> tuple[str, ...]:
    """Return the cautions that hold, each at most once, always in the same order."""
    return (
        *_on_models(task),
        *_on_abstentions(task, standing),
        *_on_cut_off_answers(standing),
        *_on_agreement(findings),
        *_on_judges(task, findings),
        *_on_ballots(task, standing),
        *_on_echoes(findings),
        *_on_the_end(task, standing),
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
    if _is_homogeneous(task):
        yield f"HomogeneousCouncil: all {len(task.seats)} seats use one model, so they tend to make the same mistakes"


def _is_homogeneous(task: Task) -> bool:
    return len(task.seats) > 1 and len(set(identify_models(task).values())) == 1


def _on_abstentions(task: Task, standing: Standing) -> Iterator[str]:
    absent = _find_absent(standing, Stage.PROPOSE)
    silent_seats = {seat for seat, _ in absent} - set(standing.list_proposers())
    if silent_seats:
        yield f"QuorumPartial: {len(silent_seats)} of {len(task.seats)} seats gave no proposal"
    unmoved = len(_find_absent(standing, Stage.CRITIQUE)) + len(_find_absent(standing, Stage.EXCHANGE))
    if unmoved:
        yield f"ExchangePartial: critiques or revisions that did not come: {unmoved}; what stood before them stands"
    judges = standing.list_proposers()
    silent = {seat for seat, _ in _find_absent(standing, Stage.JUDGE)} - {seat for seat, _ in standing.ballots}
    if silent:
        yield f"BallotsPartial: {len(silent)} of {len(judges)} judges gave no ballot"


def _find_absent(standing: Standing, stage: Stage) -> set[tuple[str, int]]:
    """Return the seats, with the round, that gave nothing though it was needed."""
    return {
        (ask.seat, ask.round)
        for ask, abstention in standing.abstentions.items()
        if ask.stage is stage and abstention.reason is not AbstentionReason.NOT_NEEDED
    }


def _on_cut_off_answers(standing: Standing) -> Iterator[str]:
    synthesis = (standing.synthesis,) if standing.synthesis else ()
    written: tuple[Proposal | Synthesis, ...] = (*standing.proposals.values(), *synthesis)
    cut_off = sum(answer.cut_off for answer in written)
    if cut_off:
        answers = f"{cut_off} of {len(written)} answers"
        yield f"CutOff: {answers} met the token limit and end in the middle; raise the members' sampling.maxTokens"


def _on_agreement(findings: Findings) -> Iterator[str]:
    kendall_w, pairwise, share = findings.kendall_w, findings.pairwise, findings.ranking.winner_share
    if kendall_w is not None and kendall_w < LOW_AGREEMENT:
        yield f"LowAgreement: the judges' rankings differ much, W={float(kendall_w):.2f}"
    if pairwise is None:
        return
    if findings.ranking.judgement and kendall_w is None and pairwise < LOW_PAIRWISE_AGREEMENT:
        yield f"LowAgreement: two judges order two proposals alike only {float(pairwise):.0%} of the time"
    if share is not None and 2 * share <= 1:
        yield f"LowAgreement: no answer has more than half of the votes; the first has {float(share):.0%}"


def _on_judges(task: Task, findings: Findings) -> Iterator[str]:
    judgement = findings.ranking.judgement
    if judgement is None:
        return
    if judgement.partial and not _is_homogeneous(task):
        yield "SameModelJudged: for want of others, judges scored proposals of their own model, which they tend to like"
    if has_cycle(judgement.comparisons):
        yield f"Cycle: the judges' majorities go round in a circle; a rule other than {task.aggregation} may differ"
    if findings.position_consistency is not None and findings.position_consistency < LOW_CONSISTENCY:
        share = float(findings.position_consistency)
        yield f"PositionBias: judges kept only {share:.0%} of their comparisons when they read in the other order"
    if not findings.ranking.exact:
        yield "KemenyInexact: too many proposals stand in a circle to weigh every order; those are in Borda's order"


def _on_ballots(task: Task, standing: Standing) -> Iterator[str]:
    written = sum(not ballot.decided for ballot in standing.ballots.values())
    if task.judging is Judging.DECISIONS and written:
        yield f"NotDecided: {written} of {len(standing.ballots)} ballots were written: no decisions endpoint"


def _on_echoes(findings: Findings) -> Iterator[str]:
    distance = findings.mean_distance
    if distance is not None and distance < LOW_DIVERSITY:
        yield f"LowDiversity: the proposals share most of their wording (distance {distance:.2f}): a possible echo"


def _on_the_end(task: Task, standing: Standing) -> Iterator[str]:
    reasons = [abstention.reason for abstention in standing.abstentions.values()]
    if AbstentionReason.BUDGET_EXHAUSTED in reasons:
        yield "BudgetExhausted: budget.tokens did not pay for everything; the result rests on what it did"
    spared = [ask for ask, one in standing.abstentions.items() if one.reason is AbstentionReason.NOT_NEEDED]
    if spared:
        effect = (
            "they could not change the winner"
            if is_unassailable(task, standing, spared)
            else f"stop {task.stop} is only {float(ENOUGH_CONFIDENCE):.0%} sure of the winner"
        )
        yield f"StoppedEarly: votes that were not waited for: {len(spared)}; {effect}"
    succeeded = standing.verdict is not None and standing.verdict.outcome is Outcome.SUCCEEDED
    if succeeded and get_synthesiser(task) and standing.synthesis is None:
        yield "NotSynthesised: the synthesis did not come, so the best proposal is the result"
