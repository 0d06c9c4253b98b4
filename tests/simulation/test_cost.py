"""What a Deliberation costs: the server's count, the status, and the formulas of every strategy say the same."""

from dataclasses import dataclass
from typing import Any

import pytest

from deliberation.engine.asks import Contribution, ask_of
from deliberation.engine.fold import fold
from deliberation.engine.request import build_request
from deliberation.engine.standing import Standing
from deliberation.local.operator import Finished
from deliberation.models.simulated.prefix_cache import count_tokens
from deliberation.protocol.messages import Stage, Task
from simulation.scene import deliberate, only

CLOSED = {"type": "Choice", "choices": ["red", "green", "blue"]}


@dataclass(frozen=True)
class Preset:
    """A strategy, and how many calls each of its stages makes for N seats."""

    name: str
    spec: dict[str, Any]
    calls: dict[str, int]
    seats: int = 3

    def __str__(self) -> str:
        return f"{self.name}-{self.seats}"


PRESETS = [
    *(Preset("Vote", {"answer": CLOSED}, {"propose": n}, n) for n in (1, 3, 8)),
    *(Preset("Panel", {}, {"propose": n, "judge": 2 * n}, n) for n in (2, 3, 8)),
    Preset("Panel", {}, {"propose": 1}, 1),
    Preset("Panel", {"answer": CLOSED, "strategy": {"type": "Panel"}}, {"propose": 4, "judge": 8}, 4),
]


@pytest.mark.parametrize("preset", PRESETS, ids=str)
async def test_calls_and_tokens_are_those_that_the_server_counted(preset: Preset) -> None:
    done = await deliberate(preset.seats, **preset.spec)
    usage = only(done).status["usage"]
    for name in ("calls", "promptTokens", "cachedTokens", "completionTokens"):
        assert usage[name] == done.served[name], name
    assert usage["totalTokens"] == usage["promptTokens"] + usage["completionTokens"]
    assert done.served["repeats"] == 0


@pytest.mark.parametrize("preset", PRESETS, ids=str)
async def test_every_stage_makes_the_calls_of_its_formula(preset: Preset) -> None:
    finished = only(await deliberate(preset.seats, **preset.spec))
    assert {stage["name"]: stage["calls"] for stage in finished.status["usage"]["byStage"]} == preset.calls


@pytest.mark.parametrize("preset", PRESETS, ids=str)
async def test_every_stage_reads_its_prompts_and_writes_its_replies(preset: Preset) -> None:
    finished = only(await deliberate(preset.seats, **preset.spec))
    prompts, replies = measure(finished)
    by_stage = {stage["name"]: stage for stage in finished.status["usage"]["byStage"]}
    assert {name: stage["promptTokens"] for name, stage in by_stage.items()} == prompts
    assert {name: stage["completionTokens"] for name, stage in by_stage.items()} == replies


def measure(finished: Finished) -> tuple[dict[str, int], dict[str, int]]:
    """Return, by stage, the tokens of all prompts as the engine writes them anew, and of all replies in the ledger."""
    task, standing = stand(finished)
    prompts: dict[str, int] = {}
    replies: dict[str, int] = {}
    entries: tuple[Contribution, ...] = (*standing.proposals.values(), *standing.ballots.values())
    for entry in entries:
        ask = ask_of(entry)
        seen = Standing() if ask.stage is Stage.PROPOSE else standing
        [message] = build_request(task, seen, ask).messages
        prompts[ask.stage] = prompts.get(ask.stage, 0) + count_tokens(message["content"])
        replies[ask.stage] = replies.get(ask.stage, 0) + entry.usage.completion_tokens
    return prompts, replies


def stand(finished: Finished) -> tuple[Task, Standing]:
    assert finished.task is not None
    return finished.task, fold(finished.task, finished.ledger)
