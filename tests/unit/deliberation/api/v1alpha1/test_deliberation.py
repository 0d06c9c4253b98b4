from typing import Any

import pytest
from pydantic import ValidationError

from deliberation.api.v1alpha1.deliberation import (
    DEFAULT_CRITERIA,
    IMMUTABLE_FIELDS,
    Answer,
    AnswerType,
    DeliberationSpec,
)
from deliberation.api.v1alpha1.strategy import StrategyType

LEAST: dict[str, Any] = {"councilRef": {"name": "architects"}, "question": "Which one?"}


def test_a_short_deliberation_has_sensible_defaults() -> None:
    spec = DeliberationSpec.model_validate(LEAST)
    assert (spec.timeout_seconds, spec.top_k, spec.seed, spec.quorum) == (600, 5, 42, None)
    assert (spec.answer.type, spec.strategy.type, spec.cancel) == (AnswerType.TEXT, StrategyType.AUTO, False)


def test_what_is_asked_is_fixed_at_creation() -> None:
    fields = {field.alias for field in DeliberationSpec.model_fields.values()}
    assert fields - set(IMMUTABLE_FIELDS) == {"cancel", "suspend", "ttlSecondsAfterFinished"}
    assert set(IMMUTABLE_FIELDS) <= fields


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"question": ""}, "question"),
        ({"question": "x" * 65_537}, "question"),
        ({"timeoutSeconds": 0}, "timeoutSeconds"),
        ({"timeoutSeconds": "10m"}, "timeoutSeconds"),
        ({"topK": 0}, "topK"),
        ({"topK": 11}, "topK"),
        ({"quorum": 0}, "quorum"),
        ({"strategy": {"type": "Duel"}}, "strategy.type"),
        ({"strategy": {"rounds": 0}}, "strategy.rounds"),
        ({"strategy": {"layers": 2}}, "strategy.layers"),
        ({"budget": {"tokens": 0}}, "budget.tokens"),
        ({"rounds": 2}, "rounds"),
        ({"answer": {"type": "Choice", "choices": ["one"]}}, "answer.choices"),
        ({"criteria": [{"name": "speed", "weightMilli": 0}]}, "criteria.0.weightMilli"),
        ({"councilRef": {"name": "Architects"}}, "councilRef.name"),
    ],
)
def test_d11_what_cannot_be_honoured_is_refused_where_it_stands(change: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as refused:
        DeliberationSpec.model_validate(LEAST | change)
    assert ".".join(map(str, refused.value.errors()[0]["loc"])) == place


def test_as_many_choices_as_there_are_letters() -> None:
    choices = tuple(f"choice {number}" for number in range(26))
    assert Answer(type=AnswerType.CHOICE, choices=choices).choices == choices


def test_the_default_criteria_share_the_whole_weight() -> None:
    assert sum(criterion.weight_milli for criterion in DEFAULT_CRITERIA) == 1000
    assert all(criterion.description for criterion in DEFAULT_CRITERIA)
