import json

import pytest
from hypothesis import given

from deliberation.protocol.messages import MalformedMessageError, decode
from deliberation.protocol.tasks import Task
from unit.deliberation.protocol import strategies
from unit.deliberation.protocol.strategies import fields_of


@given(strategies.tasks)
def test_d2_a_task_says_how_many_seats_answer(task: Task) -> None:
    body = fields_of(task.encode())
    assert len(body["seats"]) == len(task.seats) >= 1
    with pytest.raises(MalformedMessageError, match="seats"):
        decode(Task, json.dumps(body | {"seats": []}).encode())
    with pytest.raises(MalformedMessageError, match="seats: missing"):
        decode(Task, json.dumps({name: body[name] for name in body if name != "seats"}).encode())


@given(strategies.tasks)
def test_a_task_ends_its_timeout_after_its_start(task: Task) -> None:
    assert task.deadline_ms == task.started_at_ms + task.timeout_ms


@given(strategies.tasks)
def test_a_task_carries_no_key(task: Task) -> None:
    fields = {field for model in fields_of(task.encode())["models"] for field in model}
    assert fields <= {"name", "baseUrl", "modelName", "apiKeyFile", "tellsLoad", "revision", "simulated"}


def test_a_task_that_says_nothing_of_newer_fields_is_read_as_before() -> None:
    plain = {
        "version": 1, "namespace": "n", "deliberationUid": "u", "deliberationName": "d", "councilUid": "c",
        "councilName": "c", "question": "?", "criteria": [], "strategy": "Panel", "quorum": 1, "startedAtMs": 0,
        "timeoutMs": 1, "seats": [{"id": "a-0", "member": "a", "role": "QA", "model": "m"}],
        "models": [{"name": "m", "baseUrl": "u", "modelName": "m"}],
    }  # fmt: skip
    task = decode(Task, json.dumps(plain).encode())
    assert (task.rounds, task.samples, task.orders, task.stop.value) == (1, 1, 1, "None")
    assert (task.synthesiser, task.budget_tokens, task.keep_if_majority) == (None, None, True)
