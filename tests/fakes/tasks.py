"""Tasks for tests."""

from typing import Any

from deliberation.api.v1alpha1.deliberation import DEFAULT_CRITERIA, Answer, AnswerType
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, SeatTask, Task


def build_task(seats: int = 3, strategy: ResolvedStrategy = ResolvedStrategy.PANEL, **fields: Any) -> Task:
    """Return a task of `seats` seats named dev-0, dev-1 ...; a Vote is about yes or no, a Panel about a text."""
    closed = strategy is ResolvedStrategy.VOTE
    defaults: dict[str, Any] = {
        "namespace": "team",
        "deliberation_uid": "d-1",
        "deliberation_name": "question",
        "council_uid": "c-1",
        "council_name": "developers",
        "question": "Shall we?",
        "criteria": DEFAULT_CRITERIA,
        "answer": Answer(type=AnswerType.BOOLEAN if closed else AnswerType.TEXT),
        "strategy": strategy,
        "seats": tuple(
            SeatTask(id=f"dev-{index}", member="dev", role="Developer", model="small") for index in range(seats)
        ),
        "models": (ModelAddress(name="small", base_url="http://127.0.0.1:1/v1", model_name="m", simulated=True),),
        "quorum": seats // 2 + 1,
        "started_at_ms": 1_000_000,
        "timeout_ms": 60_000,
    }
    return Task(**{**defaults, **fields})
