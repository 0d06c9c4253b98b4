"""From a model's reply to an entry. Total: whatever a model writes becomes an answer or an abstention with a reason."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from deliberation.aggregation.answers import read_answer
from deliberation.aggregation.json_values import spell_json
from deliberation.api.v1alpha1.deliberation import Answer, AnswerType
from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine.asks import Ask
from deliberation.engine.json_objects import find_objects
from deliberation.engine.labels import build_listing
from deliberation.engine.schemas import HIGHEST_SCORE, LOWEST_SCORE
from deliberation.engine.standing import Standing
from deliberation.engine.texts import clean, cut, drop_thinking
from deliberation.protocol.chat import Reply
from deliberation.protocol.messages import Abstention, Ballot, Proposal, Score, Stage, Task

MAX_ANSWER_BYTES = 192 * 1024
"""Longest answer that the ledger keeps: with every character escaped it still fits one message."""

MAX_RATIONALE_BYTES = 4096

_WRAPPING = " \t\n\"'`*"
"""What models like to put around a bare answer; after it, a period, too."""


def read_reply(task: Task, standing: Standing, ask: Ask, reply: Reply) -> Proposal | Ballot | Abstention:
    """Return what the reply says in answer to the ask; an abstention when it says nothing that can be used.

    Never raises on any text, and never guesses: two different answers in one reply are none.
    """
    text = clean(drop_thinking(reply.text))
    if ask.stage is Stage.JUDGE:
        entry: Proposal | Ballot | None = _read_ballot(task, standing, ask, reply, text)
    elif task.answer.type is AnswerType.TEXT:
        entry = _read_text(ask, reply, text)
    else:
        entry = _read_closed_answer(task, ask, reply, text)
    return entry or _abstain(ask, reply)


def _read_text(ask: Ask, reply: Reply, text: str) -> Proposal | None:
    """Return the text as it stands: one that met the token limit says less than it meant to, but it says something."""
    answer = cut(text, MAX_ANSWER_BYTES).strip()
    cut_off = reply.finish_reason == "length" or len(answer) < len(text)
    proposal = Proposal(seat=ask.seat, round=ask.round, answer=answer, cut_off=cut_off, usage=reply.usage)
    return proposal if answer else None


def _read_closed_answer(task: Task, ask: Ask, reply: Reply, text: str) -> Proposal | None:
    """Return the one answer of the declared form that the text holds: in its JSON objects, or as the whole of it."""
    is_bare_answer = read_answer(text, task.answer) is not None
    bare = text if is_bare_answer else text.rstrip(_WRAPPING + ".").lstrip(_WRAPPING)
    objects = find_objects(text) or ({"answer": bare},)
    rationales = {
        answer: found.get("rationale")
        for found in reversed(objects)
        if (answer := _find_answer(found, task.answer)) is not None
    }
    if len(rationales) != 1:
        return None
    [(answer, rationale)] = rationales.items()
    return Proposal(
        seat=ask.seat, round=ask.round, answer=answer, rationale=_read_rationale(rationale), usage=reply.usage
    )


def _find_answer(found: dict[str, Any], answer: Answer) -> str | None:
    """Return the answer that a JSON object holds; one that was asked for as JSON may be the object itself."""
    if answer.type is not AnswerType.JSON:
        return read_answer(_spell(found.get("answer")), answer)
    schema = answer.json_schema or {}
    wrapped = spell_json(found["answer"], schema) if "answer" in found else None
    return spell_json(found, schema) if wrapped is None else wrapped


def _read_ballot(task: Task, standing: Standing, ask: Ask, reply: Reply, text: str) -> Ballot | None:
    """Return the one complete ballot that the text holds; scores of the judge's own proposal are left out."""
    seats = {
        label: proposal.seat
        for label, proposal in build_listing(standing, ask.seat).items()
        if proposal.seat != ask.seat
    }
    criteria = tuple(criterion.name for criterion in task.criteria)
    ballots = {
        scores: found.get("rationale")
        for found in reversed(find_objects(text))
        if (scores := _read_scores(found, seats, criteria)) is not None
    }
    if len(ballots) != 1:
        return None
    [(scores, rationale)] = ballots.items()
    return Ballot(
        judge=ask.seat,
        round=ask.round,
        order=ask.turn,
        scores=tuple(
            Score(proposal=seat, criteria=dict(zip(criteria, row, strict=True)))
            for seat, row in zip(seats.values(), scores, strict=True)
        ),
        rationale=_read_rationale(rationale),
        usage=reply.usage,
    )


def _read_scores(
    found: dict[str, Any], seats: Mapping[str, str], criteria: tuple[str, ...]
) -> tuple[tuple[int, ...], ...] | None:
    """Return one row of scores per label, in the order of the criteria, or None when any is missing or no score."""
    rows = []
    for label in seats:
        given = found.get(label)
        if not isinstance(given, dict):
            return None
        row = tuple(score for name in criteria if (score := _read_score(given.get(name))) is not None)
        if len(row) < len(criteria):
            return None
        rows.append(row)
    return tuple(rows)


def _read_score(value: object) -> int | None:
    """Return a whole number within the scale, or None. True is no score."""
    if isinstance(value, Decimal) and LOWEST_SCORE <= value <= HIGHEST_SCORE and value == int(value):
        return int(value)
    return None


def _spell(value: object) -> str:
    """Return a JSON value as a person would write it; what can be no answer becomes nothing."""
    match value:
        case bool():
            return str(value).lower()
        case str() | Decimal():
            return str(value)
        case _:
            return ""


def _read_rationale(value: object) -> str:
    return cut(clean(value), MAX_RATIONALE_BYTES) if isinstance(value, str) else ""


def _abstain(ask: Ask, reply: Reply) -> Abstention:
    was_cut_off = reply.finish_reason == "length"
    return Abstention(
        seat=ask.seat,
        stage=ask.stage,
        round=ask.round,
        turn=ask.turn,
        reason=AbstentionReason.TRUNCATED if was_cut_off else AbstentionReason.MALFORMED_ANSWER,
        message=_TRUNCATED[ask.stage] if was_cut_off else _MALFORMED[ask.stage],
        usage=reply.usage,
    )


_TRUNCATED = {
    Stage.PROPOSE: "the reply met the token limit before it held an answer: raise the member's sampling.maxTokens",
    Stage.JUDGE: "the reply met the token limit before it held a complete ballot",
}

_MALFORMED = {
    Stage.PROPOSE: "the reply holds no answer of the declared form, or more than one",
    Stage.JUDGE: "the reply holds no complete ballot, or more than one",
}
