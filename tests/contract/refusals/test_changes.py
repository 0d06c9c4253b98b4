"""What of a Deliberation cannot be changed once the question is put, and what the API server says to who tries."""

from typing import Any

import pytest

from contract.api_server import ApiServer, RefusedError
from contract.objects import deliberation
from deliberation.api.v1alpha1.deliberation import IMMUTABLE_FIELDS

pytestmark = [pytest.mark.contract, pytest.mark.timeout(180)]

Body = dict[str, Any]

COMPLETE = deliberation(
    context=[{"name": "a", "text": "b"}],
    requirements=["short"],
    criteria=[{"name": "short"}],
    answer={"type": "Number"},
    strategy={"type": "Vote"},
    quorum=1,
    timeoutSeconds=60,
    budget={"tokens": 1000},
    priority=3,
    topK=3,
    seed=1,
)["spec"]

CHANGED: Body = {
    "councilRef": {"name": "other"},
    "question": "Another?",
    "context": [{"name": "a", "text": "c"}],
    "requirements": [],
    "criteria": [{"name": "short", "weightMilli": 1}],
    "answer": {"type": "Text"},
    "strategy": {"type": "Panel"},
    "quorum": 2,
    "timeoutSeconds": 61,
    "budget": {"tokens": 2000},
    "priority": 4,
    "topK": 4,
    "seed": 2,
}


def forbidden(field: str) -> str:
    rule = f"{field} cannot be changed after creation: delete this Deliberation and create another"
    return f"spec.{field}: Forbidden: {rule}"


@pytest.mark.parametrize("field", IMMUTABLE_FIELDS)
def test_a_question_once_put_cannot_be_changed(api_server: ApiServer, field: str) -> None:
    api_server.apply(deliberation(**COMPLETE))
    with pytest.raises(RefusedError) as refused:
        api_server.apply(deliberation(**COMPLETE | {field: CHANGED[field]}))
    assert forbidden(field) in str(refused.value)


@pytest.mark.parametrize("field", ["context", "requirements", "criteria", "quorum"])
def test_a_field_cannot_be_added_or_removed_later(api_server: ApiServer, field: str) -> None:
    without = {name: value for name, value in COMPLETE.items() if name != field}
    api_server.apply(deliberation("with", **COMPLETE))
    api_server.apply(deliberation("without", **without))
    with pytest.raises(RefusedError) as removed:
        api_server.apply(deliberation("with", **without))
    with pytest.raises(RefusedError) as added:
        api_server.apply(deliberation("without", **COMPLETE))
    assert forbidden(field) in str(removed.value)
    assert forbidden(field) in str(added.value)


def test_a_schema_cannot_be_changed_in_its_depths(api_server: ApiServer) -> None:
    def asking(kind: str) -> Body:
        schema = {"type": "object", "properties": {"port": {"type": kind}}}
        return deliberation(answer={"type": "JSON", "schema": schema})

    stored = api_server.apply(asking("integer"))
    assert stored["spec"]["answer"]["schema"]["properties"] == {"port": {"type": "integer"}}
    with pytest.raises(RefusedError) as refused:
        api_server.apply(asking("string"))
    assert forbidden("answer") in str(refused.value)


def test_cancel_cannot_be_taken_back(api_server: ApiServer) -> None:
    api_server.apply(deliberation())
    assert api_server.apply(deliberation(cancel=True))["spec"]["cancel"] is True
    with pytest.raises(RefusedError) as refused:
        api_server.apply(deliberation(cancel=False))
    assert "spec.cancel: Forbidden: cancel cannot be taken back: create another Deliberation" in str(refused.value)
