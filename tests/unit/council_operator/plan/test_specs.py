from typing import Any

import pytest

from council_operator.plan.specs import InvalidSpecError, parse_council, parse_deliberation
from fakes.bodies import ENDPOINT, council, council_spec, deliberation


def refusal(spec: dict[str, Any]) -> str:
    with pytest.raises(InvalidSpecError) as refused:
        parse_council(council(spec))
    return str(refused.value)


def test_a_member_of_an_unknown_model_is_refused_by_name() -> None:
    spec = council_spec()
    spec["members"][0]["modelRef"] = "large"
    assert refusal(spec) == "spec.members[dev].modelRef is large: spec.models has no model of that name"


@pytest.mark.parametrize("name", ["council-bus", "council-models"])
def test_our_own_credentials_are_never_sent_to_a_server_of_the_users(name: str) -> None:
    endpoint = {**ENDPOINT, "endpoint": {**ENDPOINT["endpoint"], "apiKeySecretRef": {"name": name, "key": "password"}}}
    assert f"Secret {name}, which holds the operator's own credentials" in refusal(council_spec(endpoint))
    hub = {"hub": {"tokenSecretRef": {"name": name, "key": "api-key"}}}
    assert f"Secret {name}" in refusal(council_spec({"name": "small", "vllm": {"model": "m", "weights": hub}}))


def test_d11_a_wish_that_could_only_be_ignored_is_refused() -> None:
    assert "spec.models[small].dedicated" in refusal(council_spec({**ENDPOINT, "dedicated": True}))


def test_what_the_schema_should_have_refused_names_the_field_and_not_the_value() -> None:
    spec = council_spec(runner={"maxConcurrentDeliberations": "plenty-of-them"})
    text = refusal(spec)
    assert text.startswith("spec.runner.maxConcurrentDeliberations: ")
    assert "plenty" not in text


def test_a_deliberation_of_another_version_is_refused_without_its_question() -> None:
    with pytest.raises(InvalidSpecError) as refused:
        parse_deliberation(deliberation(topK=0))
    assert str(refused.value).startswith("spec.topK: ")
    assert "database" not in str(refused.value)


def test_a_schema_that_could_hurt_or_that_no_server_knows_is_refused_with_its_place() -> None:
    harmful = {"type": "object", "properties": {"name": {"type": "string", "pattern": "(a+)+$"}}}
    with pytest.raises(InvalidSpecError) as refused:
        parse_deliberation(deliberation(answer={"type": "JSON", "schema": harmful}))
    assert str(refused.value).startswith("spec.answer.schema.properties.name has the keyword pattern: use only ")
    harmless = {"type": "object", "properties": {"pattern": {"type": "string"}}}
    spec = parse_deliberation(deliberation(answer={"type": "JSON", "schema": harmless}))
    assert spec.answer.json_schema == harmless
