"""A panel of five that have all proposed, and what its seats are sent."""

from typing import Any

from deliberation.engine.asks import Ask
from deliberation.engine.request import build_request
from deliberation.engine.standing import Standing
from deliberation.protocol.chat import ChatRequest
from deliberation.protocol.entries import Stage
from deliberation.protocol.tasks import ResolvedStrategy, SeatTask, Task
from unit.deliberation.engine.scripted import build_task, propose, stand

ROLES = ("Developer", "QA", "Architect", "DevOps", "Data")
SEATS = tuple(
    SeatTask(id=f"s-{i}", member="s", role=role, model="small", temperature_milli=300, top_p_milli=900, max_tokens=77)
    for i, role in enumerate(ROLES)
)
PANEL = build_task(5, question="Which way? " * 40).model_copy(update={"seats": SEATS})
PROPOSED = stand(PANEL, *(propose(f"s-{i}", f"Go {i} steps. " * 20) for i in range(5)))
PROPOSALS = [propose(f"s-{i}", f"Go {i} steps.") for i in range(5)]

CRITIQUE = PANEL.model_copy(update={"strategy": ResolvedStrategy.CRITIQUE, "rounds": 2})


def request_of(stage: Stage, seat: str, task: Task = PANEL, standing: Standing = PROPOSED) -> ChatRequest:
    return build_request(task, standing, Ask(stage, seat))


def text_of(task: Task, standing: Standing, ask: Ask) -> str:
    [message] = build_request(task, standing, ask).messages
    assert message["role"] == "user"
    return message["content"]


def smallest(schema: dict[str, Any]) -> Any:
    """Return a value that satisfies a schema of the few kinds that we use."""
    match schema["type"]:
        case "object":
            return {name: smallest(part) for name, part in schema["properties"].items()}
        case "string":
            return schema["enum"][-1] if "enum" in schema else "x" * schema["maxLength"]
        case "integer":
            return schema["enum"][-1]
        case _:
            return -12.5
