"""What a Deliberation costs: the server's count, the status, and the formulas of every strategy say the same."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from deliberation.engine.asks import ask_of
from deliberation.engine.fold import fold
from deliberation.engine.request import build_request
from deliberation.local.operator import Finished
from deliberation.models.simulated.prefix_cache import count_tokens
from simulation.scene import deliberate, only

CLOSED = {"type": "Choice", "choices": ["red", "green", "blue"]}


@dataclass(frozen=True)
class Preset:
    """A strategy with its parameters, and how many calls each of its stages makes."""

    name: str
    spec: dict[str, Any]
    calls: dict[str, int]
    seats: int = 4

    def __str__(self) -> str:
        return f"{self.name}-{self.seats}"


def preset(kind: str, calls: dict[str, int], seats: int = 4, answer: Any = None, **strategy: Any) -> Preset:
    spec = {"strategy": {"type": kind, **strategy}, **({"answer": answer} if answer else {})}
    return Preset("-".join((kind, *strategy)), spec, calls, seats)


PRESETS = [
    *(preset("Vote", {"propose": n}, n, CLOSED) for n in (1, 3, 8)),
    preset("Vote", {"propose": 3 * 4}, 3, CLOSED, samples=4),
    preset("Panel", {"propose": 1}, 1),
    *(preset("Panel", {"propose": n, "judge": 2 * n}, n) for n in (2, 3, 8)),
    preset("Panel", {"propose": 4, "judge": 4}, answer=CLOSED, orders=1),
    preset("Panel", {"propose": 4 * 2, "judge": 2 * 4}, samples=2),
    preset("Panel", {"propose": 4, "judge": 8, "synthesise": 1}, synthesis={}),
    preset("Critique", {"propose": 4, "critique": 4, "exchange": 4, "judge": 8}),
    preset("Critique", {"propose": 4, "critique": 8, "exchange": 8, "judge": 4}, rounds=2, orders=1),
    preset("Debate", {"propose": 4, "exchange": 4}, answer=CLOSED, keepIfMajority=False),
    *(
        preset("Debate", {"propose": 5, "exchange": 15}, 5, CLOSED, keepIfMajority=False, rounds=3, topology=topology)
        for topology in ("Full", "Ring", "Star")
    ),
    preset("MixtureOfAgents", {"propose": 4, "synthesise": 1}),
    preset("MixtureOfAgents", {"propose": 4, "exchange": 8, "synthesise": 1}, rounds=3),
]


DECIDED = [
    preset("Panel", {"propose": 4, "judge": 8}, judging="Decisions"),
    preset("Panel", {"propose": 12, "judge": 24}, 12, judging="Decisions", orders=1),
    preset("Critique", {"propose": 4, "critique": 4, "exchange": 4, "judge": 8}, answer=CLOSED, judging="Decisions"),
]
"""Presets whose ballots are no texts; eleven proposals make more questions than one call can ask."""


@pytest.mark.parametrize("preset", [*PRESETS, *DECIDED], ids=str)
async def test_calls_and_tokens_are_those_that_the_server_counted(preset: Preset) -> None:
    done = await deliberate(preset.seats, **preset.spec)
    usage = only(done).status["usage"]
    for name in ("calls", "promptTokens", "cachedTokens", "completionTokens"):
        assert usage[name] == done.served[name], name
    assert usage["totalTokens"] == usage["promptTokens"] + usage["completionTokens"]
    # Decisions carry no seed: a list of answers that reads the same backwards is asked about twice.
    assert done.served["repeats"] == 0 or preset in DECIDED


@pytest.mark.parametrize("preset", [*PRESETS, *DECIDED], ids=str)
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


@pytest.mark.parametrize("preset", DECIDED, ids=str)
async def test_decisions_cost_a_token_each_and_no_warning(preset: Preset) -> None:
    finished = only(await deliberate(preset.seats, **preset.spec))
    [judging] = [stage for stage in finished.status["usage"]["byStage"] if stage["name"] == "judge"]
    ballots = finished.status["progress"]["ballots"]
    assert judging["completionTokens"] == ballots * (preset.seats - 1) * 3 * 2
    assert not [warning for warning in finished.status["warnings"] if warning.startswith("NotDecided")]


def measure(finished: Finished) -> tuple[dict[str, int], dict[str, int]]:
    """Return, by stage, the tokens of all prompts as the engine writes them anew, and of all replies in the ledger."""
    assert finished.task is not None
    standing = fold(finished.task, finished.ledger)
    prompts: Counter[str] = Counter()
    replies: Counter[str] = Counter()
    for entry in standing.list_entries():
        ask = ask_of(entry)
        [message] = build_request(finished.task, standing, ask).messages
        prompts[ask.stage.value] += count_tokens(message["content"])
        replies[ask.stage.value] += entry.usage.completion_tokens
    return prompts, replies
