"""From an ask to the call of a model."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.api.v1alpha1.strategy import Judging
from deliberation.engine.asks import Ask, Contribution
from deliberation.engine.dissent import View, view_best
from deliberation.engine.reading import build_listing, label_proposals
from deliberation.engine.schemas import (
    MAX_CRITIQUE_CHARACTERS,
    MAX_RATIONALE_CHARACTERS,
    build_answer_schema,
    build_ballot_schema,
    build_critique_schema,
)
from deliberation.engine.standing import Standing
from deliberation.engine.strategies import get_preset
from deliberation.engine.texts import cut
from deliberation.prompts import stages
from deliberation.prompts.control_tokens import defuse
from deliberation.prompts.stages import Listed, Listing
from deliberation.protocol.chat import ChatRequest, Decisions, Reply, ScoreQuestion
from deliberation.protocol.entries import Abstention, Proposal, Stage
from deliberation.protocol.tasks import ResolvedStrategy, SeatTask, Task

MAX_REPAIRED_BYTES = 8192
"""Most of an unusable reply that is shown to its writer again."""

LEVELS = ("very poor", "poor", "fair", "good", "excellent")
"""What the scores 1 to 5 of a ballot mean, where they are asked for by name."""

_MAX_SEED = 2**31

_REPAIRABLE = {AbstentionReason.MALFORMED_ANSWER, AbstentionReason.TRUNCATED}


def build_request(task: Task, standing: Standing, ask: Ask) -> ChatRequest:
    """Return the call that fills the ask. The same task, standing and ask always give the same call.

    There is one message, from the user: some chat templates refuse a system message, and a shared beginning is a shared
    beginning wherever it stands.

    Raises:
        KeyError: the seat is none of the task's, or a judge without a proposal.
    """
    seat = {seat.id: seat for seat in task.seats}[ask.seat]
    match ask.stage:
        case Stage.PROPOSE:
            return _ask_answer(task, seat, ask, stages.proposal_prompt(task, seat))
        case Stage.CRITIQUE:
            return _ask_critique(task, standing, seat, ask)
        case Stage.EXCHANGE:
            return _ask_answer(task, seat, ask, _write_exchange(task, standing, seat, ask))
        case Stage.JUDGE:
            return _ask_ballot(task, standing, seat, ask)
        case _:
            return _ask_answer(task, seat, ask, _write_synthesis(task, standing, seat, ask))


def find_repair(task: Task, request: ChatRequest, reply: Reply, entry: Contribution | Abstention) -> ChatRequest | None:
    """Return the one call that may mend a ballot that could not be read, or None when nothing is to be mended.

    Under a token budget nothing is asked that was not reserved.
    """
    if not isinstance(entry, Abstention) or entry.stage is not Stage.JUDGE or entry.reason not in _REPAIRABLE:
        return None
    if task.budget_tokens is not None:
        return None
    fault = stages.repair_prompt(entry.message)
    again = (
        {"role": "assistant", "content": cut(defuse(reply.text), MAX_REPAIRED_BYTES)},
        {"role": "user", "content": fault},
    )
    return replace(request, messages=(*request.messages, *again), decisions=None)


def _ask_answer(task: Task, seat: SeatTask, ask: Ask, prompt: str) -> ChatRequest:
    return ChatRequest(
        messages=({"role": "user", "content": prompt},),
        max_tokens=seat.max_tokens,
        temperature=seat.temperature_milli / 1000,
        top_p=seat.top_p_milli / 1000,
        seed=_seed(task, ask),
        schema=build_answer_schema(task.answer),
    )


def _write_exchange(task: Task, standing: Standing, seat: SeatTask, ask: Ask) -> str:
    """Return the prompt by which a seat answers again, as the strategy has it."""
    if task.strategy is ResolvedStrategy.CRITIQUE:
        own = standing.stood_before(ask.round)[seat.id]
        critiques = (c for (number, _), c in standing.critiques.items() if number == ask.round)
        texts = tuple(critique.texts[own.id] for critique in critiques if own.id in critique.texts)
        return stages.revision_prompt(task, seat, tell(own), texts)
    proposals = build_listing(task, standing, ask)
    listing = _list(proposals)
    if task.strategy is ResolvedStrategy.DEBATE:
        return stages.debate_prompt(task, seat, listing, _find_own(proposals, seat))
    return stages.layer_prompt(task, seat, listing)


def _ask_critique(task: Task, standing: Standing, seat: SeatTask, ask: Ask) -> ChatRequest:
    proposals = build_listing(task, standing, ask)
    own = _find_own(proposals, seat)
    labels = tuple(label for label in proposals if label != own)
    return ChatRequest(
        messages=({"role": "user", "content": stages.critique_prompt(task, seat, _list(proposals), own)},),
        max_tokens=_critique_tokens(len(labels)),
        temperature=seat.temperature_milli / 1000,
        top_p=seat.top_p_milli / 1000,
        seed=_seed(task, ask),
        schema=build_critique_schema(labels),
        schema_name="critique",
    )


def _ask_ballot(task: Task, standing: Standing, seat: SeatTask, ask: Ask) -> ChatRequest:
    """Return a judge's call: at temperature 0, for a judge who changes its mind by chance is noise."""
    proposals = build_listing(task, standing, ask)
    return ChatRequest(
        messages=({"role": "user", "content": stages.ballot_prompt(task, seat, _list(proposals))},),
        max_tokens=_ballot_tokens(task, len(proposals)),
        temperature=0.0,
        top_p=1.0,
        seed=_seed(task, ask),
        schema=build_ballot_schema(tuple(proposals), task.criteria),
        schema_name="ballot",
        decisions=_build_decisions(task, seat, _list(proposals)) if task.judging is Judging.DECISIONS else None,
    )


def _build_decisions(task: Task, seat: SeatTask, listing: Listing) -> Decisions:
    """Return the ballot as typed questions: a score of each proposal by each criterion."""
    return Decisions(
        stages.decisions_prompt(task, seat, listing),
        tuple(
            ScoreQuestion(listed.label, criterion.name, stages.score_question(listed.label, criterion), LEVELS)
            for listed in listing
            for criterion in task.criteria
        ),
    )


def _write_synthesis(task: Task, standing: Standing, seat: SeatTask, ask: Ask) -> str:
    if not get_preset(task).has_judging:
        return stages.layer_prompt(task, seat, _list(build_listing(task, standing, ask)))
    view = view_best(task, standing)
    proposals = label_proposals(view.proposals)
    labels = {proposal.id: label for label, proposal in proposals.items()}
    return stages.synthesis_prompt(task, seat, _list(proposals), tuple(proposals), _tell_dissent(view, labels))


def _tell_dissent(view: View, labels: Mapping[str, str]) -> str:
    if not view.dissent:
        return "No judge puts another answer first."
    preferred = ", ".join(sorted(f"{labels[name]} ({count})" for name, count in view.dissent.items()))
    return f"Of {view.judges} judges, {view.dissent.total()} put another answer first: {preferred}."


def tell(proposal: Proposal) -> str:
    """Return a proposal as others read it: a closed answer stands with its reasons."""
    return f"{proposal.answer}\n\n{proposal.rationale}" if proposal.rationale else proposal.answer


def _list(proposals: Mapping[str, Proposal]) -> Listing:
    return tuple(Listed(label, tell(proposal)) for label, proposal in proposals.items())


def _find_own(proposals: Mapping[str, Proposal], seat: SeatTask) -> str:
    return next(label for label, proposal in proposals.items() if proposal.seat == seat.id)


def _seed(task: Task, ask: Ask) -> int:
    """Return a seed of the call's own: two seats with one seed would write the same text."""
    digest = sha256(f"{task.seed}/{ask.key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _MAX_SEED


def _critique_tokens(proposals: int) -> int:
    """Return enough tokens for a critique of so many proposals: words have two characters and more to a token."""
    return 64 + proposals * (16 + MAX_CRITIQUE_CHARACTERS // 2)


def _ballot_tokens(task: Task, proposals: int) -> int:
    """Return enough tokens for any ballot that keeps to its schema, with room for white space between its parts.

    A token is at least one character, so the lengths of what must be written are an upper bound for it.
    """
    one_proposal = 16 + sum(len(criterion.name) + 12 for criterion in task.criteria)
    return MAX_RATIONALE_CHARACTERS + 64 + proposals * one_proposal
