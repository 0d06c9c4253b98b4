from typing import Any

import pytest

from deliberation.api.v1alpha1.strategy import Topology
from deliberation.engine.asks import Ask
from deliberation.engine.reading import build_listing, find_peers, list_judged
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Proposal, Stage
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, SeatTask, Task
from unit.deliberation.engine.scripted import CHOICE, build_task, propose, stand


def with_models(*models: str, **fields: Any) -> Task:
    """Return a task whose seats ask these models, in this order."""
    task = build_task(len(models), **fields)
    return task.model_copy(
        update={
            "seats": tuple(SeatTask(id=f"s-{i}", member="s", role="QA", model=model) for i, model in enumerate(models)),
            "models": tuple(
                ModelAddress(name=name, base_url=f"http://{name}/v1", model_name=name.rstrip("'"))
                for name in dict.fromkeys(models)
            ),
        }
    )


def proposed(task: Task, **fields: Any) -> Standing:
    return stand(
        task,
        *(
            propose(seat.id).model_copy(update={"sample": sample, **fields})
            for seat in task.seats
            for sample in range(task.samples)
        ),
    )


def judged_by(task: Task, judge: str) -> list[str]:
    return sorted(list_judged(proposed(task), judge))


@pytest.mark.parametrize("models", ["aab", "aaa", "abc"])
def test_a_judge_scores_all_proposals_but_its_own_whatever_their_models(models: str) -> None:
    assert judged_by(with_models(*models), "s-0") == ["s-1", "s-2"]


def test_no_sample_of_one_s_own_is_judged() -> None:
    assert judged_by(build_task(2, samples=3), "s-0") == ["s-1", "s-1.1", "s-1.2"]


def test_who_did_not_propose_is_no_judge() -> None:
    task = build_task(3)
    with pytest.raises(KeyError):
        list_judged(stand(task, propose("s-0"), propose("s-1")), "s-2")


def debate(topology: Topology, seats: int = 5) -> Task:
    return build_task(seats, ResolvedStrategy.DEBATE, answer=CHOICE, topology=topology, keep_if_majority=False)


@pytest.mark.parametrize(
    ("topology", "seat", "peers"),
    [
        (Topology.FULL, "s-1", {"s-0", "s-2", "s-3", "s-4"}),
        (Topology.RING, "s-1", {"s-0", "s-2"}),
        (Topology.RING, "s-0", {"s-4", "s-1"}),
        (Topology.RING, "s-4", {"s-3", "s-0"}),
        (Topology.STAR, "s-0", {"s-1", "s-2", "s-3", "s-4"}),
        (Topology.STAR, "s-3", {"s-0"}),
    ],
)
def test_the_topology_says_whom_a_debater_reads(topology: Topology, seat: str, peers: set[str]) -> None:
    task = debate(topology)
    assert find_peers(task, proposed(task), seat) == peers
    read = build_listing(task, proposed(task), Ask(Stage.EXCHANGE, seat, 1))
    assert {proposal.seat for proposal in read.values()} == {seat, *peers}


@pytest.mark.parametrize("topology", Topology)
def test_two_debaters_read_each_other(topology: Topology) -> None:
    task = debate(topology, 2)
    assert find_peers(task, proposed(task), "s-0") == {"s-1"}
    assert find_peers(task, proposed(task), "s-1") == {"s-0"}


def test_the_ring_closes_where_a_seat_gave_nothing() -> None:
    task = debate(Topology.RING)
    standing = Standing(proposals={seat: propose(seat) for seat in ("s-0", "s-1", "s-3", "s-4")})
    assert find_peers(task, standing, "s-1") == {"s-0", "s-3"}


@pytest.mark.parametrize("strategy", [ResolvedStrategy.DEBATE, ResolvedStrategy.MIXTURE_OF_AGENTS])
def test_what_is_read_in_a_round_does_not_depend_on_who_was_quicker_in_it(strategy: ResolvedStrategy) -> None:
    task = build_task(3, strategy, answer=CHOICE, rounds=2, keep_if_majority=False)
    first = [propose(f"s-{i}", "left") for i in range(3)]
    quick = Proposal(seat="s-0", round=1, answer="right")
    ask = Ask(Stage.EXCHANGE, "s-1", 1)
    before, after = stand(task, *first), stand(task, *first, quick)
    assert after.proposals["s-0"].answer == "right"
    assert build_listing(task, after, ask) == build_listing(task, before, ask)


def test_in_an_exchange_all_read_one_list() -> None:
    task = build_task(4, ResolvedStrategy.MIXTURE_OF_AGENTS, rounds=2)
    lists = [build_listing(task, proposed(task), Ask(Stage.EXCHANGE, f"s-{i}", 1)) for i in range(4)]
    assert all(listing == lists[0] for listing in lists)
    assert list(lists[0]) == ["A", "B", "C", "D"]
