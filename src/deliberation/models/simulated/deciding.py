"""How a simulated model answers typed questions: a pure function of its traits and the request."""

import re
from typing import Any, Literal

from pydantic import BaseModel, Field

from deliberation.models.simulated.answering import GOOD_SCORES, POOR_SCORES, Traits
from deliberation.models.simulated.draws import happens, pick
from deliberation.models.simulated.prompts import Understood, understand
from deliberation.models.simulated.truth import is_right
from deliberation.protocol.chat import QUESTIONS_AT_A_TIME

CERTAINTY = 0.9
"""Probability of the level that it means; the others share the rest."""

BEST_LEVEL = "excellent"

_LABEL = re.compile(r"\banswer ([A-Z]+)\b")


class Level(BaseModel):
    """One level of a scale."""

    label: str


class Question(BaseModel):
    """A question for a score; a simulated model knows no others."""

    type: Literal["score"]
    name: str | None = None
    instructions: str
    levels: list[Level] = Field(min_length=2, max_length=10)


class DecisionsRequest(BaseModel):
    """What we understand of a request for decisions."""

    model: str
    input: str
    questions: list[Question] = Field(min_length=1, max_length=QUESTIONS_AT_A_TIME)


def decide(traits: Traits, request: DecisionsRequest) -> list[dict[str, Any]]:
    """Return the answers, in the order of the questions."""
    chance = (traits.seed, request.input)
    if happens(traits.malformed_percent, "malformed", *chance):
        return [{"type": "refusal", "name": question.name} for question in request.questions]
    knows = happens(traits.accuracy_percent, "accurate", *chance)
    understood = understand(request.input)
    return [_score(question, understood, chance, knows=knows) for question in request.questions]


def _score(question: Question, understood: Understood, chance: tuple[object, ...], *, knows: bool) -> dict[str, Any]:
    """Return a score: a higher one for what is right, or any when the judge doesn't know."""
    found = _LABEL.search(question.instructions)
    judged = understood.answers.get(found.group(1), "") if found else ""
    known = GOOD_SCORES if is_right(understood.question, understood.choices, judged) else POOR_SCORES
    meant = pick(known if knows else POOR_SCORES + GOOD_SCORES, "score", question.instructions, *chance)
    last = len(question.levels) - 1
    place = min(meant - 1, last)
    if question.levels[0].label == BEST_LEVEL:
        place = last - place
    chances = [CERTAINTY if level == place else (1 - CERTAINTY) / last for level in range(last + 1)]
    return {
        "type": "score",
        "name": question.name,
        "score": sum(level * probability for level, probability in enumerate(chances)),
        "confidence": CERTAINTY,
        "probabilities": [
            {"value": value, "label": level.label, "probability": probability}
            for value, (level, probability) in enumerate(zip(question.levels, chances, strict=True))
        ],
    }
