"""Answers are repeatable, keep to the form that was asked for, and are right as often as declared."""

import json
from typing import Any

import jsonschema
import pytest

from deliberation.models.simulated.answering import MALFORMED, Asked, Traits, answer
from deliberation.models.simulated.truth import right, right_number, right_word

CHOICE = {"type": "string", "enum": ["east", "west", "north"]}
BOOLEAN = {"type": "string", "enum": ["yes", "no"]}
SCORES = {
    "type": "object",
    "properties": {name: {"type": "integer", "enum": [1, 2, 3, 4, 5]} for name in ("correctness", "clarity")},
    "required": ["correctness", "clarity"],
    "additionalProperties": False,
}
QUESTION = "Which way?"


def closed(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"rationale": {"type": "string", "maxLength": 300}, "answer": value},
        "required": ["rationale", "answer"],
        "additionalProperties": False,
    }


def ask(schema: dict[str, Any] | None, number: int = 0, prompt: str = QUESTION) -> Asked:
    return Asked(identity=f"request {number}", prompt=prompt, schema=schema)


def share_of(expected: Any, schema: dict[str, Any], traits: Traits) -> float:
    replies = [json.loads(answer(traits, ask(schema, number))) for number in range(500)]
    for reply in replies[:20]:
        jsonschema.validate(reply, schema)
    return [reply["answer"] for reply in replies].count(expected) / 500


@pytest.mark.parametrize("accuracy", [0, 70, 100])
@pytest.mark.parametrize(
    ("value", "truth"),
    [
        (CHOICE, right(QUESTION, CHOICE["enum"])),
        (BOOLEAN, right(QUESTION, ("yes", "no"))),
        ({"type": "number"}, right_number(QUESTION)),
        ({"type": "boolean"}, right(QUESTION, ("yes", "no")) == "yes"),
    ],
    ids=["choice", "yes or no", "number", "boolean"],
)
def test_closed_answers_are_right_as_often_as_declared(value: dict[str, Any], truth: Any, accuracy: int) -> None:
    assert share_of(truth, closed(value), Traits(accuracy_percent=accuracy)) == pytest.approx(accuracy / 100, abs=0.06)


def test_wrong_answers_are_spread_evenly() -> None:
    wrong = [option for option in CHOICE["enum"] if option != right(QUESTION, CHOICE["enum"])]
    for option in wrong:
        assert share_of(option, closed(CHOICE), Traits(accuracy_percent=40)) == pytest.approx(0.3, abs=0.07)


def test_the_same_request_gets_the_same_answer_and_another_seed_another() -> None:
    schema = closed({"type": "number"})
    first = [answer(Traits(seed=1), ask(schema, number)) for number in range(50)]
    assert [answer(Traits(seed=1), ask(schema, number)) for number in reversed(range(50))] == first[::-1]
    assert [answer(Traits(seed=2), ask(schema, number)) for number in range(50)] != first


def test_a_text_says_that_it_is_simulated_and_carries_the_right_word() -> None:
    text = answer(Traits(accuracy_percent=100), ask(None))
    assert text.startswith("Simulated answer")
    assert f'"{right_word(QUESTION)}"' in text
    assert f'"{right_word(QUESTION)}"' not in answer(Traits(accuracy_percent=0), ask(None))


def ballot(traits: Traits, answers: dict[str, str], number: int = 0, **more: str) -> dict[str, Any]:
    parts = {"question": QUESTION, **more, **{f"answer {label}": text for label, text in answers.items()}}
    prompt = "\n\n".join(f"[{title} 0123abcd]\n{text}\n[end 0123abcd]" for title, text in parts.items())
    schema = closed({})
    schema["properties"] = {"rationale": {"type": "string"}, **dict.fromkeys(answers, SCORES)}
    schema["required"] = list(schema["properties"])
    reply: dict[str, Any] = json.loads(answer(traits, ask(schema, number, prompt)))
    if number == 0:
        jsonschema.validate(reply, schema)
    return reply


@pytest.mark.parametrize(
    "right_answer",
    [f'go with "{right_word(QUESTION)}"', right(QUESTION, ("yes", "no")), str(right_number(QUESTION))],
)
def test_a_judge_who_knows_scores_what_is_right_higher(right_answer: str) -> None:
    for number in range(50):
        reply = ballot(Traits(accuracy_percent=100), {"A": "some other way", "B": right_answer}, number)
        for criterion in ("correctness", "clarity"):
            assert reply["A"][criterion] < reply["B"][criterion]


def test_a_judge_who_does_not_know_gives_any_score() -> None:
    scores = set()
    for number in range(100):
        reply = ballot(Traits(accuracy_percent=0), {"A": "some way", "B": "other way"}, number)
        scores.add(reply["A"]["clarity"])
    assert scores == {1, 2, 3, 4, 5}


def test_a_judge_of_choices_knows_them_from_the_prompt() -> None:
    options = ("east", "west", "north")
    truth = right(QUESTION, options)
    wrong = next(option for option in options if option != truth)
    choices = "\n".join(f"- {option}" for option in options)
    for number in range(50):
        reply = ballot(Traits(accuracy_percent=100), {"A": truth, "B": wrong}, number, choices=choices)
        assert reply["A"]["clarity"] > reply["B"]["clarity"]


def test_malformed_answers_ignore_the_form() -> None:
    traits = Traits(malformed_percent=100)
    assert answer(traits, ask(closed(CHOICE))) == MALFORMED
    assert answer(traits, ask(None)) == ""
    replies = [answer(Traits(malformed_percent=30), ask(closed(CHOICE), number)) for number in range(1000)]
    assert 250 < replies.count(MALFORMED) < 350


TRIAGE = {
    "type": "object",
    "properties": {
        "component": {"enum": ["login", "payment"]},
        "severity": {"type": "integer", "minimum": 1, "maximum": 3},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 3}, "minItems": 2},
        "note": {"type": ["string", "null"], "maxLength": 5},
        "owner": {"anyOf": [{"type": "null"}, {"type": "string"}]},
    },
    "required": ["component", "severity", "tags", "note", "owner"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "schema", [{}, {"type": "object"}, closed({"type": "array"}), closed({"type": "string"}), closed(TRIAGE)]
)
def test_any_other_schema_gets_a_json_object(schema: dict[str, Any]) -> None:
    jsonschema.validate(json.loads(answer(Traits(), ask(schema))), schema)
