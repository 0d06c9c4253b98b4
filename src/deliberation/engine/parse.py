"""From a model's reply to an entry. Total: whatever a model writes becomes an answer or an abstention with a reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from deliberation.aggregation.answers import read_answer
from deliberation.aggregation.json_values import spell_json
from deliberation.api.v1alpha1.deliberation import Answer, AnswerType
from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine.asks import Ask, Contribution
from deliberation.engine.json_objects import find_objects
from deliberation.engine.reading import build_listing
from deliberation.engine.schemas import HIGHEST_SCORE, LOWEST_SCORE, MAX_CRITIQUE_CHARACTERS
from deliberation.engine.standing import Standing
from deliberation.engine.texts import clean, cut, drop_thinking
from deliberation.protocol.chat import Reply
from deliberation.protocol.entries import Abstention, Ballot, Critique, Proposal, Score, Stage, Synthesis
from deliberation.protocol.tasks import Task

MAX_ANSWER_BYTES = 192 * 1024
"""Longest answer that the ledger keeps: with every character escaped it still fits one message."""

MAX_RATIONALE_BYTES = 4096

_WRAPPING = " \t\n\"'`*"
"""What models like to put around a bare answer; after it, a period, too."""


@dataclass(frozen=True)
class _Said:
    """An answer to the question, as far as the reply gives one."""

    answer: str
    rationale: str = ""
    cut_off: bool = False


class _UnreadableError(Exception):
    """The reply cannot be used; the message says why, in our words."""


def read_reply(task: Task, standing: Standing, ask: Ask, reply: Reply) -> Contribution | Abstention:
    """Return what the reply says in answer to the ask; an abstention when it says nothing that can be used.

    Never raises on any text, and never guesses: two different answers in one reply are none.
    """
    text = clean(drop_thinking(reply.text))
    try:
        match ask.stage:
            case Stage.JUDGE:
                return _read_ballot(task, standing, ask, reply, text)
            case Stage.CRITIQUE:
                return _read_critique(task, standing, ask, reply, text)
            case _:
                return _enter(task, ask, reply, text)
    except _UnreadableError as fault:
        return _abstain(ask, reply, str(fault))


def _enter(task: Task, ask: Ask, reply: Reply, text: str) -> Proposal | Synthesis:
    """Return the entry that holds the reply's answer to the question."""
    said = _read_text(reply, text) if task.answer.type is AnswerType.TEXT else _read_closed_answer(task, text)
    if said is None:
        raise _UnreadableError("the reply holds no answer of the declared form, or more than one")
    if ask.stage is Stage.SYNTHESISE:
        return Synthesis(
            seat=ask.seat, answer=said.answer, rationale=said.rationale, cut_off=said.cut_off, usage=reply.usage
        )
    return Proposal(
        seat=ask.seat,
        round=ask.round,
        sample=ask.turn,
        answer=said.answer,
        rationale=said.rationale,
        cut_off=said.cut_off,
        usage=reply.usage,
    )


def _read_text(reply: Reply, text: str) -> _Said | None:
    """Return the text as it stands: one that met the token limit says less than it meant to, but it says something."""
    answer = cut(text, MAX_ANSWER_BYTES).strip()
    cut_off = reply.finish_reason == "length" or len(answer) < len(text)
    return _Said(answer, cut_off=cut_off) if answer else None


def _read_closed_answer(task: Task, text: str) -> _Said | None:
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
    return _Said(answer, _read_rationale(rationale))


def _find_answer(found: dict[str, Any], answer: Answer) -> str | None:
    """Return the answer that a JSON object holds; one that was asked for as JSON may be the object itself."""
    if answer.type is not AnswerType.JSON:
        return read_answer(_spell(found.get("answer")), answer)
    schema = answer.json_schema or {}
    wrapped = spell_json(found["answer"], schema) if "answer" in found else None
    return spell_json(found, schema) if wrapped is None else wrapped


def _read_critique(task: Task, standing: Standing, ask: Ask, reply: Reply, text: str) -> Critique:
    """Return what the text's objects say of others' proposals; of one said twice, the first. Some may be left out."""
    listing = build_listing(task, standing, ask)
    others = {label: proposal.id for label, proposal in listing.items() if proposal.seat != ask.seat}
    texts: dict[str, str] = {}
    for found in find_objects(text):
        for label, name in others.items():
            said = found.get(label)
            critique = cut(clean(said), 4 * MAX_CRITIQUE_CHARACTERS) if isinstance(said, str) else ""
            if critique:
                texts.setdefault(name, critique)
    if not texts:
        raise _UnreadableError("the reply criticises none of the answers that it was shown")
    return Critique(seat=ask.seat, round=ask.round, texts=texts, usage=reply.usage)


def _read_ballot(task: Task, standing: Standing, ask: Ask, reply: Reply, text: str) -> Ballot:
    """Return the one complete ballot that the text holds."""
    ids = {label: proposal.id for label, proposal in build_listing(task, standing, ask).items()}
    criteria = tuple(criterion.name for criterion in task.criteria)
    objects = find_objects(text)
    ballots = {
        scores: found.get("rationale")
        for found in reversed(objects)
        if (scores := _read_scores(found, ids, criteria)) is not None
    }
    if len(ballots) != 1:
        raise _UnreadableError(_explain_ballots(objects, tuple(ids), criteria, len(ballots)))
    [(scores, rationale)] = ballots.items()
    return Ballot(
        judge=ask.seat,
        round=ask.round,
        order=ask.turn,
        scores=tuple(
            Score(proposal=name, criteria=dict(zip(criteria, row, strict=True)))
            for name, row in zip(ids.values(), scores, strict=True)
        ),
        rationale=_read_rationale(rationale),
        decided=reply.decided or None,
        usage=reply.usage,
    )


def _read_scores(
    found: Mapping[str, Any], labels: Iterable[str], criteria: tuple[str, ...]
) -> tuple[tuple[int, ...], ...] | None:
    """Return one row of scores per label, in the order of the criteria, or None when any is missing or no score."""
    rows = []
    for label in labels:
        given = found.get(label)
        if not isinstance(given, dict):
            return None
        row = tuple(score for name in criteria if (score := _read_score(given.get(name))) is not None)
        if len(row) < len(criteria):
            return None
        rows.append(row)
    return tuple(rows)


def _explain_ballots(
    objects: tuple[dict[str, Any], ...], labels: tuple[str, ...], criteria: tuple[str, ...], complete: int
) -> str:
    """Return why the objects are not one complete ballot, so that its writer can mend it."""
    if complete:
        return f"the reply holds {complete} different ballots"
    if not objects:
        return "the reply holds no whole JSON object"
    scores = ({} if not isinstance(given := objects[-1].get(label), dict) else given for label in labels)
    missing = next(
        f"{name} of answer {label}"
        for label, given in zip(labels, scores, strict=True)
        for name in criteria
        if _read_score(given.get(name)) is None
    )
    return f"the reply has no whole number from {LOWEST_SCORE} to {HIGHEST_SCORE} for {missing}"


def _read_score(value: object) -> int | None:
    """Return a whole number within the scale, or None. True is no score."""
    if isinstance(value, Decimal) and LOWEST_SCORE <= value <= HIGHEST_SCORE and value == int(value):
        return int(value)
    return None


def _spell(value: object) -> str:
    """Return a JSON value as text that can be read as an answer; what can be none becomes nothing."""
    match value:
        case bool() | str() | Decimal():
            return str(value)
        case _:
            return ""


def _read_rationale(value: object) -> str:
    return cut(clean(value), MAX_RATIONALE_BYTES) if isinstance(value, str) else ""


def _abstain(ask: Ask, reply: Reply, fault: str) -> Abstention:
    was_cut_off = reply.finish_reason == "length"
    return Abstention(
        seat=ask.seat,
        stage=ask.stage,
        round=ask.round,
        turn=ask.turn,
        reason=AbstentionReason.TRUNCATED if was_cut_off else AbstentionReason.MALFORMED_ANSWER,
        message=_TRUNCATED.get(ask.stage, _CUT_SHORT) if was_cut_off else fault,
        usage=reply.usage,
    )


_CUT_SHORT = "the reply met the token limit before it held an answer: raise the member's sampling.maxTokens"

_TRUNCATED = {
    Stage.CRITIQUE: "the reply met the token limit before it held a critique",
    Stage.JUDGE: "the reply met the token limit before it held a complete ballot",
}
