import re
from pathlib import Path

import pytest

from deliberation.api.v1alpha1.strategy import Judging, Topology
from deliberation.bus.memory import MemoryBus
from deliberation.engine.asks import ask_of
from deliberation.engine.cost import Cost, list_costs
from deliberation.engine.request import build_request
from deliberation.protocol.entries import Ballot, Critique, Stage
from deliberation.protocol.tasks import ResolvedStrategy, Task
from deliberation.runner.driver import Driver
from deliberation.runner.seat import Seat
from fakes.every_strategy import CHOICE, TASKS
from fakes.fake_clock import FakeClock
from fakes.simulated_chat import SimulatedChat
from unit.deliberation.engine.scripted import build_task

ANSWERS = re.compile(r"^\[(?:answer [A-Z]+|your answer) [0-9a-f]{8}\]$", re.MULTILINE)
CRITIQUES = re.compile(r"^\[critique [0-9]+ [0-9a-f]{8}\]$", re.MULTILINE)

SHARED, ROLE, ANSWER = 1000, 100, 600


def debate(rounds: int, topology: Topology) -> Task:
    return build_task(5, ResolvedStrategy.DEBATE, answer=CHOICE, rounds=rounds, topology=topology)


@pytest.mark.parametrize(
    ("task", "calls", "read", "written"),
    [
        (build_task(5, ResolvedStrategy.VOTE), 5, 5_500, 3_000),
        (debate(2, Topology.FULL), 15, 46_500, 9_000),
        (debate(2, Topology.RING), 15, 34_500, 9_000),
        (build_task(5, ResolvedStrategy.MIXTURE_OF_AGENTS, rounds=2), 11, 30_100, 6_600),
    ],
)
def test_the_worked_example(task: Task, calls: int, read: int, written: int) -> None:
    """Five seats, 1000 tokens shared, 100 of a role, 600 of an answer: research, section 2."""
    costs = list_costs(task)
    assert sum(cost.calls for cost in costs) == calls
    assert sum(cost.calls * (SHARED + ROLE) + cost.answers_read * ANSWER for cost in costs) == read
    assert sum(cost.answers_written * ANSWER for cost in costs) == written


def test_a_panel_reads_its_proposals_once_for_each_judge_and_order() -> None:
    _, judging = list_costs(build_task(5, orders=2))
    assert judging == Cost(Stage.JUDGE, 0, calls=10, answers_read=40, scores_written=40)


@pytest.mark.parametrize(("seats", "samples", "calls"), [(2, 1, 4), (11, 1, 22), (12, 1, 48), (4, 16, 40)])
def test_decisions_are_asked_64_at_a_time(seats: int, samples: int, calls: int) -> None:
    """Three criteria, each read up and down: 60 questions about ten proposals, 66 about eleven."""
    task = build_task(seats, orders=2, samples=samples, judging=Judging.DECISIONS)
    _, judging = list_costs(task)
    assert judging.calls == calls


def test_where_one_seat_is_alone_it_only_proposes() -> None:
    for task in (build_task(1, synthesiser="s-0"), build_task(1, ResolvedStrategy.CRITIQUE), debate(1, Topology.RING)):
        alone = task.model_copy(update={"seats": task.seats[:1]})
        assert [cost.stage for cost in list_costs(alone)] == [Stage.PROPOSE]


def test_two_seats_are_enough_to_talk_to_judge_and_to_synthesise() -> None:
    critique = build_task(2, ResolvedStrategy.CRITIQUE, rounds=1, synthesiser="s-0")
    assert [(cost.stage, cost.calls, cost.answers_read, cost.critiques_read) for cost in list_costs(critique)] == [
        (Stage.PROPOSE, 2, 0, 0),
        (Stage.CRITIQUE, 2, 4, 0),
        (Stage.EXCHANGE, 2, 2, 2),
        (Stage.JUDGE, 2, 2, 0),
        (Stage.SYNTHESISE, 1, 2, 0),
    ]
    for topology in Topology:
        talk = build_task(2, ResolvedStrategy.DEBATE, answer=CHOICE, topology=topology, keep_if_majority=False)
        assert [(cost.stage, cost.calls, cost.answers_read) for cost in list_costs(talk)] == [
            (Stage.PROPOSE, 2, 0),
            (Stage.EXCHANGE, 2, 4),
        ]


STAR = TASKS["debate"].model_copy(update={"topology": Topology.STAR})
RUNS = {
    **TASKS,
    "debate": TASKS["debate"].model_copy(update={"keep_if_majority": False}),
    "debate around the first": STAR.model_copy(update={"keep_if_majority": False}),
}


@pytest.mark.parametrize("name", RUNS)
async def test_a_run_in_which_all_answer_costs_what_the_formulas_say(name: str, tmp_path: Path) -> None:
    task, bus, chat, clock = RUNS[name], MemoryBus(), SimulatedChat(), FakeClock()
    standing = await Driver(task, "r", bus, Seat(bus, chat, tmp_path, clock), clock).run()
    counted: dict[tuple[Stage, int], Cost] = {}
    for entry in standing.list_entries():
        ask = ask_of(entry)
        [message] = build_request(task, standing, ask).messages
        prompt = message["content"]
        before = counted.get((ask.stage, ask.round), Cost(ask.stage, ask.round, 0))
        is_answer = not isinstance(entry, Ballot | Critique)
        counted[ask.stage, ask.round] = Cost(
            ask.stage,
            ask.round,
            calls=before.calls + entry.usage.calls,
            answers_read=before.answers_read + len(ANSWERS.findall(prompt)),
            critiques_read=before.critiques_read + len(CRITIQUES.findall(prompt)),
            answers_written=before.answers_written + is_answer,
            critiques_written=before.critiques_written + (len(entry.texts) if isinstance(entry, Critique) else 0),
            scores_written=before.scores_written + (len(entry.scores) if isinstance(entry, Ballot) else 0),
        )
    assert set(counted.values()) == set(list_costs(task))
    assert chat.calls.total() == sum(cost.calls for cost in counted.values())
