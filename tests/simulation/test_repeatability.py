"""The same question to the same Council has the same result, whoever is slow and whoever answers first."""

import json
from itertools import permutations
from typing import Any

import pytest

from simulation.scene import deliberate, only, simulated

CLOSED = {"type": "Choice", "choices": ["red", "green", "blue"]}
KINDS = ["Vote", "Panel", "Critique", "Debate", "MixtureOfAgents"]
NAMES = ("a", "b", "c")


def ask_by(kind: str) -> dict[str, Any]:
    """Return a question for the strategy: a closed one where answers are counted."""
    return {"strategy": {"type": kind}, **({"answer": CLOSED} if kind in {"Vote", "Debate"} else {})}


def as_bytes(status: dict[str, Any]) -> bytes:
    return json.dumps(status).encode()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_run_repeats_byte_for_byte(kind: str) -> None:
    first, second = [only(await deliberate(5, **ask_by(kind))).status for _ in range(2)]
    assert as_bytes(first) == as_bytes(second)


@pytest.mark.parametrize("kind", KINDS)
async def test_latency_and_order_of_arrival_change_nothing(kind: str) -> None:
    statuses = set()
    for latencies in permutations((0, 15, 30)):
        models = [simulated(name, latencyMilliseconds=latency) for name, latency in zip(NAMES, latencies, strict=True)]
        statuses.add(as_bytes(only(await deliberate(6, tuple(models), **ask_by(kind))).status))
    assert len(statuses) == 1


async def test_failures_that_a_second_try_mends_change_nothing_but_the_calls() -> None:
    smooth, rough = [
        only(await deliberate(5, (simulated(failurePercent=percent),), answer={"type": "Boolean"})).status
        for percent in (0, 40)
    ]
    for part in ("result", "votes", "proposals", "agreement"):
        assert smooth[part] == rough[part]


async def test_another_seed_asks_otherwise() -> None:
    questions = [only(await deliberate(7, seed=seed)).status["proposals"] for seed in range(4)]
    assert len({json.dumps(proposals) for proposals in questions}) > 1
