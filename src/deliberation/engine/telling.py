"""Findings in the words of the status."""

from fractions import Fraction

from deliberation.aggregation.comparisons import find_condorcet_winner, has_cycle
from deliberation.api.v1alpha1.deliberation_result import (
    AbstentionStatus,
    Agreement,
    AnswerCount,
    Baseline,
    Bias,
    Dissent,
    Diversity,
    EffectiveVotes,
    Votes,
)
from deliberation.engine.findings import Findings, counts_answers
from deliberation.engine.ranking import find_margin, find_winner_share
from deliberation.engine.standing import Standing
from deliberation.engine.texts import cut
from deliberation.protocol.tasks import Task

_MAX_COUNTS = 26
_MAX_DISSENTS = 64


def tell_votes(task: Task, standing: Standing, findings: Findings, texts: int, abstentions: int) -> Votes | None:
    """Return who abstained, as soon as anybody has, and the counts where answers are counted and the run is over.

    Args:
        task: what was asked.
        standing: where the run stands.
        findings: what was found.
        texts: most bytes of each answer, and of each message.
        abstentions: most abstentions that are shown.
    """
    clusters = findings.ranking.clusters if counts_answers(task, findings.ranking) else ()
    if not clusters and not standing.abstentions:
        return None
    return Votes(
        counts=tuple(
            AnswerCount(answer=cut(cluster.answer, texts), seats=len(cluster.seats), weight_milli=cluster.weight_milli)
            for cluster in clusters[:_MAX_COUNTS]
        ),
        winner_share_milli=milli(find_winner_share(clusters)),
        margin_milli=milli(find_margin(clusters)),
        abstentions=tuple(
            AbstentionStatus(
                seat=ask.seat,
                stage=ask.stage.value,
                round=ask.round,
                reason=abstention.reason.value,
                message=cut(abstention.message, texts),
            )
            for ask, abstention in list(standing.abstentions.items())[:abstentions]
        ),
    )


def tell_dissent(standing: Standing, findings: Findings, texts: int, seats: int) -> tuple[Dissent, ...]:
    """Return what others hold than the result, with at most `texts` bytes and `seats` seats of each.

    A result that was synthesised from all proposals, without any order among them, has no dissent.
    """
    return tuple(_tell_position(standing, names, texts, seats) for names in findings.positions[1 : _MAX_DISSENTS + 1])


def _tell_position(standing: Standing, names: tuple[str, ...], texts: int, seats: int) -> Dissent:
    proposals = [standing.proposals[name] for name in names]
    reason = next((proposal.rationale for proposal in proposals if proposal.rationale), "")
    return Dissent(
        seats=tuple(dict.fromkeys(proposal.seat for proposal in proposals))[:seats],
        proposals=len(names),
        position=cut(proposals[0].answer, texts),
        reason=cut(reason, texts),
    )


def tell_agreement(findings: Findings) -> Agreement | None:
    """Return how far the judges' orders agree, or the voters' answers; None when nothing of it is defined."""
    judgement, pairwise = findings.ranking.judgement, findings.pairwise
    if judgement is None:
        share = findings.ranking.winner_share
        if share is None or pairwise is None:
            return None
        return Agreement(summary=f"{float(share):.0%}", pairwise_milli=milli(pairwise))
    if findings.kendall_w is None and pairwise is None:
        return None
    summary = (
        f"W={float(findings.kendall_w):.2f}" if findings.kendall_w is not None else f"P={float(pairwise or 0):.2f}"
    )
    return Agreement(
        summary=summary,
        kendall_w_milli=milli(findings.kendall_w),
        pairwise_milli=milli(pairwise),
        condorcet_winner=find_condorcet_winner(judgement.comparisons),
        cycle=has_cycle(judgement.comparisons),
        judges=len(judgement.scores),
    )


def tell_diversity(findings: Findings) -> Diversity | None:
    """Return how much the proposals differ; None when there are none."""
    if not findings.positions:
        return None
    return Diversity(
        mean_distance_milli=milli(findings.mean_distance),
        clusters=len(findings.positions),
        models=findings.models,
    )


def tell_effective_votes(findings: Findings) -> EffectiveVotes | None:
    """Return how many independent votes the proposals are worth at most.

    An estimate, n / (1 + (n - 1) rho), would need the correlation rho of the models' errors, which one question does
    not show.
    """
    return EffectiveVotes(upper_bound=findings.models) if findings.models else None


def tell_bias(findings: Findings) -> Bias | None:
    """Return what may have swayed the judges; None when nothing of it could be measured."""
    if findings.position_consistency is None and findings.length_correlation is None:
        return None
    return Bias(
        position_consistency_milli=milli(findings.position_consistency),
        length_score_correlation_milli=milli(findings.length_correlation),
    )


def tell_baseline(findings: Findings, answer: str | None, texts: int) -> Baseline | None:
    """Return what the vote before the first exchange gave, next to the run's answer; None when it is no Debate."""
    share, margin = find_winner_share(findings.baseline), find_margin(findings.baseline)
    if share is None or margin is None:
        return None
    first = findings.baseline[0].answer
    return Baseline(
        answer=cut(first, texts),
        winner_share_milli=round(share * 1000),
        margin_milli=round(margin * 1000),
        changed=answer is not None and first != answer,
    )


def milli(value: float | Fraction | None) -> int | None:
    """Return the value in thousandths, rounded; None stays None."""
    return None if value is None else round(value * 1000)
