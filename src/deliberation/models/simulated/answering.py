"""What a simulated model says: a pure function of its traits and the request."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from deliberation.models.simulated.draws import happens, pick
from deliberation.models.simulated.prompts import Understood, understand
from deliberation.models.simulated.truth import (
    WORDS,
    YES_NO,
    is_right,
    propose_text,
    right,
    right_word,
)
from deliberation.models.simulated.values import numbers_within, text_within

Value = TypeVar("Value")

MALFORMED = "Simulated reply that ignores the requested form."
GOOD_SCORES: tuple[int, ...] = (4, 5)
POOR_SCORES: tuple[int, ...] = (1, 2, 3)


@dataclass(frozen=True)
class Traits:
    """How a simulated model behaves. Percentages are shares of distinct requests.

    `has_decisions`: it answers typed questions, too; vLLM up to 0.32 does not.
    `batch`: calls that it works on at a time; more are kept waiting. None: as many as come.
    """

    accuracy_percent: int = 70
    latency_milliseconds: int = 50
    failure_percent: int = 0
    malformed_percent: int = 0
    seed: int = 1
    has_decisions: bool = True
    batch: int | None = None


@dataclass(frozen=True)
class Asked:
    """One request, as far as it matters. `identity` stands for all of it: equal requests have equal ones."""

    identity: str
    prompt: str
    schema: dict[str, Any] | None


def answer(traits: Traits, asked: Asked) -> str:
    """Return the text of the reply."""
    chance = (traits.seed, asked.identity)
    if happens(traits.malformed_percent, "malformed", *chance):
        return MALFORMED if asked.schema is not None else ""
    knows = happens(traits.accuracy_percent, "accurate", *chance)
    mind = _Mind(understand(asked.prompt), chance, knows)
    if asked.schema is None:
        return propose_text(mind.choose(WORDS, right_word(mind.understood.question)))
    return json.dumps(mind.fill_object(asked.schema), ensure_ascii=False)


@dataclass(frozen=True)
class _Mind:
    """One reply in the making: what was asked, what chance is drawn from, and whether it knows what is right."""

    understood: Understood
    chance: tuple[object, ...]
    knows: bool

    def fill_object(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return an object that satisfies the schema: an answer, a ballot, or whatever else was asked for."""
        return {name: self._fill(name, value) for name, value in schema.get("properties", {}).items()}

    def choose(self, options: Sequence[Value], truth: Value) -> Value:
        """Return the truth, or any other option when the truth is not known."""
        wrong = [option for option in options if option != truth]
        return truth if self.knows or not wrong else pick(wrong, "wrong", *self.chance)

    def _fill(self, name: str, schema: dict[str, Any]) -> object:
        match schema:
            case {"type": "object"} if name in self.understood.answers:
                return self._score(name, schema)
            case {"anyOf": [first, *_]} | {"oneOf": [first, *_]}:
                return self._fill(name, first)
            case {"type": [first, *_]}:
                return self._fill(name, {**schema, "type": first})
            case {"type": "object"}:
                return self.fill_object(schema)
            case {"type": "array"}:
                return [self._fill(name, schema.get("items", {}))] * schema.get("minItems", 0)
            case _:
                return self._choose_plain(schema)

    def _choose_plain(self, schema: dict[str, Any]) -> object:
        """Return a value that holds no other."""
        question = self.understood.question
        match schema:
            case {"enum": [*options]}:
                return self.choose(options, right(question, options))
            case {"type": "number" | "integer"}:
                numbers = numbers_within(schema)
                return self.choose(numbers, right(question, numbers))
            case {"type": "boolean"}:
                return self.choose((True, False), right(question, YES_NO) == "yes")
            case {"type": "null"}:
                return None
            case _:
                return text_within(schema)

    def _score(self, label: str, schema: dict[str, Any]) -> dict[str, int]:
        """Return scores of one answer: higher ones for what is right, or any when the judge doesn't know."""
        carries_truth = is_right(self.understood.question, self.understood.choices, self.understood.answers[label])
        known = GOOD_SCORES if carries_truth else POOR_SCORES
        scores = known if self.knows else POOR_SCORES + GOOD_SCORES
        return {name: pick(scores, "score", label, name, *self.chance) for name in schema.get("properties", {})}
