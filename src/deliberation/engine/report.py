"""What a standing means to a person: the parts of a Deliberation's status that come from the task and its ledger."""

import json
from dataclasses import dataclass, fields
from hashlib import sha256

from deliberation.api.v1alpha1.base import StatusModel
from deliberation.api.v1alpha1.deliberation_record import MAX_MODEL_RECORDS, ModelRecord, Reproducibility, UsageStatus
from deliberation.api.v1alpha1.deliberation_result import (
    MAX_ANSWER_BYTES,
    MAX_RATIONALE_BYTES,
    Agreement,
    Baseline,
    Bias,
    CriterionScore,
    Dissent,
    Diversity,
    EffectiveVotes,
    RankedProposal,
    Result,
    Votes,
)
from deliberation.api.v1alpha1.deliberation_status import Progress, ResolvedStrategy
from deliberation.engine import ENGINE_VERSION
from deliberation.engine.cautions import find_cautions, get_models_of_seats, is_simulated
from deliberation.engine.findings import Findings, examine
from deliberation.engine.ranking import Place, Ranking
from deliberation.engine.standing import Standing
from deliberation.engine.telling import (
    milli,
    tell_agreement,
    tell_baseline,
    tell_bias,
    tell_dissent,
    tell_diversity,
    tell_effective_votes,
    tell_votes,
)
from deliberation.engine.texts import cut
from deliberation.engine.usage import tell_usage
from deliberation.engine.waves import count_samples
from deliberation.prompts.shared import shared_prompt
from deliberation.protocol.entries import Outcome
from deliberation.protocol.tasks import ResolvedStrategy as StrategyOfTask
from deliberation.protocol.tasks import Task

MAX_REPORT_BYTES = 24 * 1024
"""Size of a report as JSON: a status is at most 32 KiB, and its conditions and references need room, too."""


@dataclass(frozen=True)
class Report:
    """The parts of a Deliberation's status that the engine knows; absent parts are not known yet.

    `transcript_sha256` is the digest of all entries that count, in the order of their keys, each as JSON on a line.
    """

    progress: Progress
    strategy: ResolvedStrategy
    simulated: bool
    result: Result | None
    proposals: tuple[RankedProposal, ...]
    votes: Votes | None
    dissent: tuple[Dissent, ...]
    agreement: Agreement | None
    diversity: Diversity | None
    effective_votes: EffectiveVotes | None
    bias: Bias | None
    baseline: Baseline | None
    warnings: tuple[str, ...]
    usage: UsageStatus
    reproducibility: Reproducibility
    transcript_sha256: str | None

    @property
    def json_bytes(self) -> int:
        """Return the report's size as compact JSON in UTF-8."""
        body = [getattr(self, field.name) for field in fields(self)]
        return len(json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=StatusModel.to_json).encode())


@dataclass(frozen=True)
class _Detail:
    """How many bytes of each text a report shows, and at most how many proposals, abstentions and dissenting seats."""

    result: int
    answer: int
    text: int
    dissent: int
    name: int = 256
    seats: int = 64
    proposals: int = 10
    abstentions: int = 64


_DETAILS = (
    _Detail(result=MAX_ANSWER_BYTES, answer=MAX_ANSWER_BYTES, text=256, dissent=256),
    _Detail(result=MAX_ANSWER_BYTES, answer=1024, text=128, dissent=128),
    _Detail(result=MAX_ANSWER_BYTES, answer=512, text=64, dissent=64, seats=8),
    _Detail(result=1024, answer=256, text=32, dissent=32, name=64, seats=2),
    _Detail(result=512, answer=128, text=16, dissent=8, name=24, seats=1, proposals=3, abstentions=24),
)
"""From the richest to the poorest, which fits whatever the models write: a test holds the worst case against it."""


def report(task: Task, standing: Standing) -> Report:
    """Return what the standing means, with as much detail as fits into `MAX_REPORT_BYTES`.

    Proposals, votes and agreement are told when the verdict is in; a result only of a run that succeeded. The whole
    texts stay in the ledger, under the digests that the report shows.
    """
    findings = examine(task, standing)
    digest = _digest(standing) if standing.verdict else None
    for detail in _DETAILS:
        candidate = _write(task, standing, findings, detail, digest)
        if candidate.json_bytes <= MAX_REPORT_BYTES:
            break
    return candidate


def _write(task: Task, standing: Standing, findings: Findings, detail: _Detail, digest: str | None) -> Report:
    ranking = findings.ranking
    succeeded = standing.verdict is not None and standing.verdict.outcome is Outcome.SUCCEEDED
    result = _tell_result(task, standing, ranking, detail) if succeeded and ranking.places else None
    return Report(
        progress=_tell_progress(task, standing),
        strategy=_tell_strategy(task),
        simulated=is_simulated(task),
        result=result,
        proposals=_tell_proposals(task, ranking, detail),
        votes=tell_votes(task, standing, findings, detail.text, detail.abstentions),
        dissent=tell_dissent(standing, findings, detail.dissent, detail.seats) if result else (),
        agreement=tell_agreement(findings),
        diversity=tell_diversity(findings),
        effective_votes=tell_effective_votes(findings),
        bias=tell_bias(findings),
        baseline=tell_baseline(findings, _find_answer(ranking) if result else None, detail.text),
        warnings=find_cautions(task, standing, findings),
        usage=tell_usage(task, standing),
        reproducibility=_tell_reproducibility(task, detail),
        transcript_sha256=digest,
    )


def _digest(standing: Standing) -> str:
    """Return the digest of the entries that count, whatever the order in which they were written."""
    entries = {entry.key: entry for entry in standing.list_entries()}
    digest = sha256()
    for key in sorted(entries):
        digest.update(entries[key].encode() + b"\n")
    return digest.hexdigest()


def _tell_progress(task: Task, standing: Standing) -> Progress:
    return Progress(
        stage=_find_stage(standing),
        proposals=len(standing.proposals),
        expected=len(task.seats) * count_samples(task),
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


def _find_answer(ranking: Ranking) -> str:
    """Return the answer that the order puts first; of counted answers, the one that stands for all that are alike."""
    return ranking.clusters[0].answer if ranking.clusters else ranking.places[0].proposal.answer


def _tell_result(task: Task, standing: Standing, ranking: Ranking, detail: _Detail) -> Result:
    synthesis, best = standing.synthesis, ranking.places[0]
    rationale = synthesis.rationale if synthesis else best.proposal.rationale
    return Result(
        answer=cut(synthesis.answer if synthesis else _find_answer(ranking), detail.result),
        type=task.answer.type.value,
        unit=task.answer.unit,
        proposal_id=None if synthesis else best.proposal.id,
        synthesised=synthesis is not None,
        rationale=cut(rationale, min(detail.result, MAX_RATIONALE_BYTES)),
        tied=bool(best.tied_with) and synthesis is None,
    )


def _tell_proposals(task: Task, ranking: Ranking, detail: _Detail) -> tuple[RankedProposal, ...]:
    shown = ranking.places[: min(task.top_k, detail.proposals)]
    ids = {place.proposal.id for place in shown}
    return tuple(_tell_proposal(task, place, ids, detail) for place in shown)


def _tell_proposal(task: Task, place: Place, shown: set[str], detail: _Detail) -> RankedProposal:
    """Return one proposal; its ties are told as far as the others are shown."""
    proposal, score = place.proposal, place.score
    seat = next(seat for seat in task.seats if seat.id == proposal.seat)
    model_names = {model.name: model.model_name for model in task.models}
    answer = cut(proposal.answer, detail.answer)
    return RankedProposal(
        id=proposal.id,
        rank=place.rank,
        tied_with=tuple(other for other in place.tied_with if other in shown),
        member=seat.member,
        seat=proposal.seat,
        model=cut(model_names.get(seat.model, seat.model), detail.name),
        answer=answer,
        truncated=len(answer) < len(proposal.answer),
        sha256=sha256(proposal.answer.encode()).hexdigest(),
        score_milli=milli(score.mean) if score else None,
        stderr_milli=milli(score.stderr) if score else None,
        criteria=tuple(
            CriterionScore(name=criterion.name, mean_milli=round(criterion.mean * 1000), ballots=criterion.ballots)
            for criterion in place.criteria
        ),
        ballots=score.count if score else 0,
        first_place_votes=place.first_places,
        pairwise_wins=place.pairwise_wins,
        votes_milli=place.votes_milli,
        tokens=proposal.usage.completion_tokens,
    )


def _tell_reproducibility(task: Task, detail: _Detail) -> Reproducibility:
    return Reproducibility(
        seed=task.seed,
        prompt_sha256=sha256(shared_prompt(task).encode("utf-8", "replace")).hexdigest(),
        engine_version=ENGINE_VERSION,
        models=tuple(
            ModelRecord(
                name=model.name,
                model=cut(model.model_name, detail.name),
                revision=model.revision,
                simulated=model.simulated,
            )
            for model in get_models_of_seats(task)[:MAX_MODEL_RECORDS]
        ),
    )
