"""What a standing means to a person: the parts of a Deliberation's status that come from the task and its ledger."""

import json
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256

from deliberation.api.v1alpha1.deliberation_status import (
    MAX_ANSWER_BYTES,
    MAX_RATIONALE_BYTES,
    AbstentionStatus,
    Agreement,
    AnswerCount,
    CriterionScore,
    ModelRecord,
    Progress,
    RankedProposal,
    Reproducibility,
    ResolvedStrategy,
    Result,
    UsageStatus,
    Votes,
)
from deliberation.engine import ENGINE_VERSION
from deliberation.engine.cautions import find_cautions, get_models_of_seats, is_simulated
from deliberation.engine.ranking import Place, Ranking, rank
from deliberation.engine.standing import Standing
from deliberation.engine.texts import cut
from deliberation.engine.usage import tell_usage
from deliberation.prompts.shared import shared_prompt
from deliberation.protocol.messages import Outcome, Task
from deliberation.protocol.messages import ResolvedStrategy as StrategyOfTask

MAX_REPORT_BYTES = 24 * 1024
"""Size of a report as JSON: a status is at most 32 KiB, and its conditions and references need room, too."""

_MAX_COUNTS = 26
_MAX_MODELS = 8
_MAX_SHORT_TEXT = 256


@dataclass(frozen=True)
class Report:
    """The parts of a Deliberation's status that the engine knows; absent parts are not known yet."""

    progress: Progress
    strategy: ResolvedStrategy
    simulated: bool
    result: Result | None
    proposals: tuple[RankedProposal, ...]
    votes: Votes | None
    agreement: Agreement | None
    warnings: tuple[str, ...]
    usage: UsageStatus
    reproducibility: Reproducibility

    @property
    def json_bytes(self) -> int:
        """Return the report's size as compact JSON in UTF-8."""
        parts = (
            self.progress,
            self.strategy,
            self.result,
            self.votes,
            self.agreement,
            self.usage,
            self.reproducibility,
        )
        body = [part.to_json() for part in (*parts, *self.proposals) if part is not None]
        return len(json.dumps([body, self.warnings], ensure_ascii=False, separators=(",", ":")).encode())


@dataclass(frozen=True)
class _Detail:
    """How many bytes of each text a report shows, and at most how many proposals."""

    result: int
    answer: int
    message: int
    count: int
    proposals: int


_DETAILS = (
    _Detail(result=MAX_ANSWER_BYTES, answer=MAX_ANSWER_BYTES, message=256, count=256, proposals=10),
    _Detail(result=MAX_ANSWER_BYTES, answer=1024, message=128, count=128, proposals=10),
    _Detail(result=MAX_ANSWER_BYTES, answer=512, message=64, count=64, proposals=10),
    _Detail(result=1024, answer=256, message=0, count=32, proposals=10),
    _Detail(result=512, answer=128, message=0, count=16, proposals=3),
)
"""From the richest to the poorest, which fits whatever the models write: a test holds the worst case against it."""


def report(task: Task, standing: Standing) -> Report:
    """Return what the standing means, with as much detail as fits into `MAX_REPORT_BYTES`.

    Proposals, votes and agreement are told when the verdict is in; a result only of a run that succeeded. The whole
    texts stay in the ledger, under the digests that the report shows.
    """
    ranking = rank(task, standing) if standing.verdict else Ranking(())
    for detail in _DETAILS:
        candidate = _write(task, standing, ranking, detail)
        if candidate.json_bytes <= MAX_REPORT_BYTES:
            break
    return candidate


def _write(task: Task, standing: Standing, ranking: Ranking, detail: _Detail) -> Report:
    verdict = standing.verdict
    succeeded = verdict is not None and verdict.outcome is Outcome.SUCCEEDED
    return Report(
        progress=_tell_progress(task, standing),
        strategy=_tell_strategy(task),
        simulated=is_simulated(task),
        result=_tell_result(task, ranking, detail) if succeeded and ranking.places else None,
        proposals=_tell_proposals(task, ranking, detail),
        votes=_tell_votes(standing, ranking, detail),
        agreement=_tell_agreement(standing, ranking),
        warnings=find_cautions(task, standing, ranking),
        usage=tell_usage(task, standing),
        reproducibility=_tell_reproducibility(task),
    )


def _tell_progress(task: Task, standing: Standing) -> Progress:
    return Progress(
        stage=_find_stage(standing),
        proposals=len(standing.proposals),
        expected=len(task.seats),
        ballots=len(standing.ballots),
        abstentions=len(standing.abstentions),
    )


def _find_stage(standing: Standing) -> str:
    if standing.verdict is not None:
        return "finished"
    return standing.wave.leg.stage if standing.wave else "aggregate"


def _tell_strategy(task: Task) -> ResolvedStrategy:
    suits = StrategyOfTask.VOTE if task.answer.is_closed else StrategyOfTask.PANEL
    fits = f"it suits answer.type {task.answer.type.value}"
    return ResolvedStrategy(
        resolved=task.strategy.value, reason=fits if task.strategy is suits else "spec.strategy.type asks for it"
    )


def _tell_result(task: Task, ranking: Ranking, detail: _Detail) -> Result:
    best = ranking.places[0]
    answer = ranking.clusters[0].answer if ranking.clusters else best.proposal.answer
    return Result(
        answer=cut(answer, detail.result),
        type=task.answer.type.value,
        proposal_id=best.proposal.seat,
        rationale=cut(best.proposal.rationale, min(detail.result, MAX_RATIONALE_BYTES)),
        tied=bool(best.tied_with),
    )


def _tell_proposals(task: Task, ranking: Ranking, detail: _Detail) -> tuple[RankedProposal, ...]:
    shown = ranking.places[: min(task.top_k, detail.proposals)]
    ids = {place.proposal.seat for place in shown}
    return tuple(_tell_proposal(task, place, ids, detail) for place in shown)


def _tell_proposal(task: Task, place: Place, shown: set[str], detail: _Detail) -> RankedProposal:
    """Return one proposal; its ties are told as far as the others are shown."""
    proposal, score = place.proposal, place.score
    seat = next(seat for seat in task.seats if seat.id == proposal.seat)
    model_names = {model.name: model.model_name for model in task.models}
    answer = cut(proposal.answer, detail.answer)
    return RankedProposal(
        id=proposal.seat,
        rank=place.rank,
        tied_with=tuple(other for other in place.tied_with if other in shown),
        member=seat.member,
        seat=proposal.seat,
        model=cut(model_names.get(seat.model, seat.model), _MAX_SHORT_TEXT),
        answer=answer,
        truncated=len(answer) < len(proposal.answer),
        sha256=sha256(proposal.answer.encode()).hexdigest(),
        score_milli=_milli(score.mean) if score else None,
        stderr_milli=_milli(score.stderr) if score else None,
        criteria=tuple(
            CriterionScore(name=criterion.name, mean_milli=round(criterion.mean * 1000), ballots=criterion.ballots)
            for criterion in place.criteria
        ),
        ballots=score.count if score else 0,
        votes_milli=place.votes_milli,
        tokens=proposal.usage.completion_tokens,
    )


def _tell_votes(standing: Standing, ranking: Ranking, detail: _Detail) -> Votes | None:
    """Return who abstained, as soon as anybody has, and the counts of a Vote that is over."""
    clusters = ranking.clusters
    if not clusters and not standing.abstentions:
        return None
    return Votes(
        counts=tuple(
            AnswerCount(
                answer=cut(cluster.answer, detail.count), seats=len(cluster.seats), weight_milli=cluster.weight_milli
            )
            for cluster in clusters[:_MAX_COUNTS]
        ),
        winner_share_milli=_milli(ranking.winner_share) if clusters else None,
        margin_milli=_milli(ranking.margin) if clusters else None,
        abstentions=tuple(
            AbstentionStatus(
                seat=ask.seat,
                stage=ask.stage.value,
                reason=abstention.reason.value,
                message=cut(abstention.message, detail.message),
            )
            for ask, abstention in standing.abstentions.items()
        ),
    )


def _tell_agreement(standing: Standing, ranking: Ranking) -> Agreement | None:
    """Return how far the judges' rankings agree, or the share of the winning answer; None when neither is defined."""
    if ranking.winner_share is not None:
        return Agreement(summary=f"{float(ranking.winner_share):.0%}")
    if ranking.kendall_w is None:
        return None
    return Agreement(
        summary=f"W={float(ranking.kendall_w):.2f}",
        kendall_w_milli=_milli(ranking.kendall_w),
        judges=len(standing.ballots),
    )


def _tell_reproducibility(task: Task) -> Reproducibility:
    return Reproducibility(
        seed=task.seed,
        prompt_sha256=sha256(shared_prompt(task).encode("utf-8", "replace")).hexdigest(),
        engine_version=ENGINE_VERSION,
        models=tuple(
            ModelRecord(
                name=model.name,
                model=cut(model.model_name, _MAX_SHORT_TEXT),
                revision=model.revision,
                simulated=model.simulated,
            )
            for model in get_models_of_seats(task)[:_MAX_MODELS]
        ),
    )


def _milli(value: float | Fraction | None) -> int | None:
    return None if value is None else round(value * 1000)
