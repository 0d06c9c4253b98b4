import pytest

from deliberation.api.v1alpha1.deliberation import Answer, AnswerType, Criterion
from deliberation.engine.schemas import build_answer_schema, build_ballot_schema, build_critique_schema
from unit.deliberation.engine.scripted import BOOLEAN, CHOICE, NUMBER

RATIONALE = {"type": "string", "maxLength": 300}
SCORE = {"type": "integer", "enum": [1, 2, 3, 4, 5]}
PORT = {"type": "object", "properties": {"port": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (CHOICE, {"type": "string", "enum": ["left", "right", "up", "down"]}),
        (BOOLEAN, {"type": "string", "enum": ["yes", "no"]}),
        (NUMBER, {"type": "number"}),
        (Answer(type=AnswerType.JSON, json_schema=PORT), PORT),
        (Answer(type=AnswerType.JSON), {}),
        (Answer(type=AnswerType.CHOICE), {"type": "string", "enum": []}),
    ],
)
def test_a_closed_answer_comes_after_its_reasons_and_nothing_beside_it(answer: Answer, value: object) -> None:
    schema = build_answer_schema(answer)
    assert schema == {
        "type": "object",
        "properties": {"rationale": RATIONALE, "answer": value},
        "required": ["rationale", "answer"],
        "additionalProperties": False,
    }
    assert list(schema["properties"]) == ["rationale", "answer"]


def test_a_ballot_has_reasons_and_one_score_for_each_criterion_of_each_answer() -> None:
    criteria = (Criterion(name="right", weight_milli=1), Criterion(name="clear", weight_milli=1))
    scores = {
        "type": "object",
        "properties": {"right": SCORE, "clear": SCORE},
        "required": ["right", "clear"],
        "additionalProperties": False,
    }
    assert build_ballot_schema(("A", "B"), criteria) == {
        "type": "object",
        "properties": {"rationale": RATIONALE, "A": scores, "B": scores},
        "required": ["rationale", "A", "B"],
        "additionalProperties": False,
    }


def test_a_critique_has_a_text_for_each_answer() -> None:
    text = {"type": "string", "maxLength": 300}
    assert build_critique_schema(("A", "C")) == {
        "type": "object",
        "properties": {"A": text, "C": text},
        "required": ["A", "C"],
        "additionalProperties": False,
    }
