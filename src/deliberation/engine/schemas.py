"""The JSON schemas that replies must satisfy; kept to what every server's grammar engine knows."""

from typing import Any

from deliberation.api.v1alpha1.deliberation import Answer, AnswerType, Criterion

MAX_RATIONALE_CHARACTERS = 300

MAX_CRITIQUE_CHARACTERS = 300

LOWEST_SCORE, HIGHEST_SCORE = 1, 5

_RATIONALE = {"type": "string", "maxLength": MAX_RATIONALE_CHARACTERS}


def build_answer_schema(answer: Answer) -> dict[str, Any] | None:
    """Return the schema of a proposal's reply, or None when it is plain text. Reasons come before the answer."""
    if answer.type is AnswerType.TEXT:
        return None
    return _object({"rationale": _RATIONALE, "answer": _answer_value(answer)})


def build_ballot_schema(labels: tuple[str, ...], criteria: tuple[Criterion, ...]) -> dict[str, Any]:
    """Return the schema of a ballot's reply: reasons first, then for each label one score per criterion."""
    score = {"type": "integer", "enum": list(range(LOWEST_SCORE, HIGHEST_SCORE + 1))}
    scores = _object({criterion.name: score for criterion in criteria})
    return _object({"rationale": _RATIONALE, **dict.fromkeys(labels, scores)})


def build_critique_schema(labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the schema of a critique's reply: for each label what is wrong with the answer."""
    critique = {"type": "string", "maxLength": MAX_CRITIQUE_CHARACTERS}
    return _object(dict.fromkeys(labels, critique))


def _answer_value(answer: Answer) -> dict[str, Any]:
    match answer.type:
        case AnswerType.CHOICE:
            return {"type": "string", "enum": list(answer.choices or ())}
        case AnswerType.BOOLEAN:
            return {"type": "string", "enum": ["yes", "no"]}
        case AnswerType.JSON:
            return dict(answer.json_schema or {})
        case _:
            return {"type": "number"}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
