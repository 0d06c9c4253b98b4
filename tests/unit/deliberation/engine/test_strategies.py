from typing import Any

import pytest

from deliberation.engine.strategies import get_synthesiser, list_legs
from deliberation.protocol.entries import Stage
from deliberation.protocol.tasks import ResolvedStrategy
from unit.deliberation.engine.scripted import DEADLINE_MS, START_MS, TIMEOUT_MS, build_task

PROPOSE, CRITIQUE, EXCHANGE, JUDGE, SYNTHESISE = Stage


@pytest.mark.parametrize(
    ("strategy", "fields", "stages"),
    [
        ("Vote", {}, [(PROPOSE, 0)]),
        ("Vote", {"rounds": 3}, [(PROPOSE, 0)]),
        ("Panel", {}, [(PROPOSE, 0), (JUDGE, 0)]),
        ("Panel", {"synthesiser": "s-1"}, [(PROPOSE, 0), (JUDGE, 0), (SYNTHESISE, 0)]),
        ("Critique", {}, [(PROPOSE, 0), (CRITIQUE, 1), (EXCHANGE, 1), (JUDGE, 0)]),
        (
            "Critique",
            {"rounds": 2, "synthesiser": "s-0"},
            [
                *[(PROPOSE, 0), (CRITIQUE, 1), (EXCHANGE, 1), (CRITIQUE, 2), (EXCHANGE, 2)],
                *[(JUDGE, 0), (SYNTHESISE, 0)],
            ],
        ),
        ("Debate", {"rounds": 2}, [(PROPOSE, 0), (EXCHANGE, 1), (EXCHANGE, 2)]),
        ("MixtureOfAgents", {}, [(PROPOSE, 0), (SYNTHESISE, 0)]),
        ("MixtureOfAgents", {"rounds": 3}, [(PROPOSE, 0), (EXCHANGE, 1), (EXCHANGE, 2), (SYNTHESISE, 0)]),
    ],
)
def test_a_strategy_is_a_preset_of_stages(
    strategy: str, fields: dict[str, Any], stages: list[tuple[Stage, int]]
) -> None:
    task = build_task(3, ResolvedStrategy(strategy), **fields)
    assert [(leg.stage, leg.round) for leg in list_legs(task)] == stages


@pytest.mark.parametrize("strategy", ResolvedStrategy)
@pytest.mark.parametrize("rounds", [1, 2, 8])
def test_every_stage_has_its_share_of_the_time_and_the_last_ends_at_the_deadline(
    strategy: ResolvedStrategy, rounds: int
) -> None:
    ends = [leg.end_ms for leg in list_legs(build_task(3, strategy, rounds=rounds, synthesiser="s-0"))]
    assert ends[-1] == DEADLINE_MS
    assert ends == sorted(set(ends))
    assert ends[0] > START_MS


def test_the_shares_of_a_critique() -> None:
    legs = list_legs(build_task(3, ResolvedStrategy.CRITIQUE))
    assert [leg.end_ms - START_MS for leg in legs] == [TIMEOUT_MS * end // 170 for end in (60, 90, 130, 170)]


def test_a_mixture_of_agents_without_a_named_synthesiser_has_its_first_seat() -> None:
    assert get_synthesiser(build_task(3, ResolvedStrategy.MIXTURE_OF_AGENTS)) == "s-0"
    assert get_synthesiser(build_task(3, ResolvedStrategy.MIXTURE_OF_AGENTS, synthesiser="s-2")) == "s-2"
    assert get_synthesiser(build_task(3)) is None
