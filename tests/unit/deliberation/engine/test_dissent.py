from collections import Counter

from deliberation.engine.asks import Ask
from deliberation.engine.dissent import view_best
from deliberation.engine.request import build_request
from deliberation.protocol.entries import Stage
from unit.deliberation.engine.scripted import ballot, build_task, propose, stand

TASK = build_task(5, synthesiser="s-0", top_k=1)
PROPOSALS = tuple(propose(f"s-{i}", f"Go {i} steps.") for i in range(5))
BALLOTS = (
    ballot("s-0", {"s-1": 1, "s-2": 1, "s-3": 5, "s-4": 1}),
    ballot("s-1", {"s-0": 5, "s-2": 1, "s-3": 4, "s-4": 1}),
    ballot("s-2", {"s-0": 5, "s-1": 1, "s-3": 4, "s-4": 1}),
    ballot("s-3", {"s-0": 3, "s-1": 1, "s-2": 1, "s-4": 1}),
    ballot("s-4", {"s-0": 1, "s-1": 1, "s-2": 1, "s-3": 5}),
)


def test_who_could_not_score_the_best_does_not_dissent_and_the_others_are_counted() -> None:
    view = view_best(TASK, stand(TASK, *PROPOSALS, *BALLOTS))
    assert [proposal.id for proposal in view.proposals] == ["s-3", "s-0"]
    assert (view.judges, view.dissent) == (5, Counter({"s-0": 2}))


def test_the_writer_of_the_synthesis_is_told_how_many_dissent() -> None:
    [message] = build_request(TASK, stand(TASK, *PROPOSALS, *BALLOTS), Ask(Stage.SYNTHESISE, "s-0")).messages
    assert "Of 5 judges, 2 put another answer first: B (2)." in message["content"]


def test_one_of_several_favourites_that_is_the_best_is_no_dissent() -> None:
    task = build_task(3, synthesiser="s-0", top_k=2)
    alike = (
        ballot("s-0", {"s-1": 4, "s-2": 4}),
        ballot("s-1", {"s-0": 1, "s-2": 5}),
        ballot("s-2", {"s-0": 1, "s-1": 2}),
    )
    view = view_best(task, stand(task, *PROPOSALS[:3], *alike))
    assert (len(view.proposals), view.dissent) == (2, Counter())


def test_without_ballots_the_first_in_order_are_in_view() -> None:
    view = view_best(TASK, stand(TASK, *PROPOSALS))
    assert ([proposal.id for proposal in view.proposals], view.judges, view.dissent) == (["s-0"], 0, Counter())
