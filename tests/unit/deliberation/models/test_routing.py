"""Seats of one question stay together, unless their replica is busier than another by a margin."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.models.routing import MARGIN, Load, choose_replica, find_beginning, read_load

LOADS = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]), st.builds(Load, st.integers(0, 99), st.integers(0, 99)), min_size=1
)
IDLE = {name: Load() for name in "abc"}

METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="Qwen/Qwen3-0.6B"} 3.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="Qwen/Qwen3-0.6B"} 2.0
vllm:num_requests_waiting_by_reason{engine="0"} 9.0
"""


@given(LOADS, st.text())
def test_no_choice_is_busier_than_the_idlest_by_more_than_the_margin(loads: dict[str, Load], beginning: str) -> None:
    chosen = choose_replica(loads, beginning)
    assert loads[chosen].busyness <= min(load.busyness for load in loads.values()) + MARGIN


@given(LOADS, st.text())
def test_the_order_in_which_replicas_are_found_decides_nothing(loads: dict[str, Load], beginning: str) -> None:
    assert choose_replica(dict(reversed(loads.items())), beginning) == choose_replica(loads, beginning)


@given(st.text())
def test_a_home_is_kept_as_long_as_it_is_not_too_busy(beginning: str) -> None:
    home = choose_replica(IDLE, beginning)
    assert choose_replica({**IDLE, home: Load(running=MARGIN)}, beginning) == home
    assert choose_replica({**IDLE, home: Load(running=MARGIN + 1)}, beginning) != home
    assert choose_replica({**IDLE, home: Load(waiting=5)}, beginning) != home


@given(st.text())
def test_a_replica_that_goes_moves_its_own_questions_alone(beginning: str) -> None:
    home = choose_replica(IDLE, beginning)
    for gone in IDLE.keys() - {home}:
        assert choose_replica({name: load for name, load in IDLE.items() if name != gone}, beginning) == home


def test_questions_spread() -> None:
    homes = Counter(choose_replica(IDLE, f"question {number}") for number in range(600))
    assert sorted(homes) == ["a", "b", "c"]
    assert min(homes.values()) > 150


def test_those_who_leave_a_crowded_home_do_not_all_run_to_the_same() -> None:
    crowded = [f"question {number}" for number in range(200) if choose_replica(IDLE, f"question {number}") == "a"]
    refuges = Counter(choose_replica({**IDLE, "a": Load(waiting=9)}, beginning) for beginning in crowded)
    assert sorted(refuges) == ["b", "c"]


@pytest.mark.parametrize(
    ("metrics", "load"),
    [
        (METRICS, Load(3, 2)),
        (METRICS + METRICS.replace('engine="0"', 'engine="1"'), Load(6, 4)),
        ("vllm:num_requests_running 1e1\n", Load(10, 0)),
        ("vllm:num_requests_running e\n", None),
        ("process_cpu_seconds_total 3\n", None),
        ("", None),
    ],
)
def test_loads_are_read_from_what_vllm_tells(metrics: str, load: Load | None) -> None:
    assert read_load(metrics) == load


def test_prompts_with_the_same_beginning_belong_together() -> None:
    first = {"messages": [{"role": "user", "content": "x" * 300 + "a seat"}]}
    second = {"messages": [{"role": "user", "content": "x" * 300 + "another"}, {"role": "user", "content": "more"}]}
    assert find_beginning(first) == find_beginning(second) == find_beginning({"input": "x" * 300}) == "x" * 256
    assert find_beginning({}) == ""
