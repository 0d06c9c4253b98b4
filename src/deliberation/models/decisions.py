"""The Decisions API, as OpenAI defines it and vLLM 0.33 serves it: typed questions about a text, one token each."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deliberation.models.replies import MalformedReplyError, read_object
from deliberation.protocol.chat import QUESTIONS_AT_A_TIME, Decisions, ScoreQuestion
from deliberation.protocol.tasks import ModelAddress

_MAX_LEVELS = 10


def build_bodies(address: ModelAddress, decisions: Decisions) -> Iterator[dict[str, Any]]:
    """Yield the bodies of the calls that ask all of it: every question on its levels from worst to best, and back."""
    asked = [_ask(question, reverse=reverse) for question in decisions.questions for reverse in (False, True)]
    for start in range(0, len(asked), QUESTIONS_AT_A_TIME):
        questions = asked[start : start + QUESTIONS_AT_A_TIME]
        yield {"model": address.model_name, "input": decisions.input, "questions": questions}


def read_scores(body: bytes) -> dict[str, float]:
    """Return the expected level, the first being 0, by the name of the question. What was refused is not there.

    Raises:
        MalformedReplyError: it is no answer to decisions.
    """
    answers = read_object(body).get("answers")
    if not isinstance(answers, list):
        raise MalformedReplyError("it has no answers")
    given = (answer for answer in answers if isinstance(answer, dict) and answer.get("type") == "score")
    return {
        name: score
        for answer in given
        if isinstance(name := answer.get("name"), str) and (score := _read_level(answer.get("score"))) is not None
    }


def write_ballot(questions: Iterable[ScoreQuestion], scores: Mapping[str, float]) -> str:
    """Return the scores as a judge would write them, from 1 for the worst level on; what is missing is left out.

    A score is the mean of what was read in both directions, rounded to a whole one, halves up.
    """
    ballot: dict[str, dict[str, int]] = {}
    for question in questions:
        last = len(question.levels) - 1
        up, down = (scores.get(_name(question, reverse=reverse), -1.0) for reverse in (False, True))
        if 0 <= up <= last and 0 <= down <= last:
            mean = (up + last - down) / 2
            ballot.setdefault(question.label, {})[question.criterion] = 1 + math.floor(mean + 0.5)
    return json.dumps(ballot)


def _read_level(value: object) -> float | None:
    """Return a number that may be a level, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _MAX_LEVELS else None


def _ask(question: ScoreQuestion, *, reverse: bool) -> dict[str, Any]:
    levels = question.levels[::-1] if reverse else question.levels
    return {
        "type": "score",
        "name": _name(question, reverse=reverse),
        "instructions": question.instructions,
        "levels": [{"label": level} for level in levels],
    }


def _name(question: ScoreQuestion, *, reverse: bool) -> str:
    return f"{question.label}.{question.criterion}.{'down' if reverse else 'up'}"
