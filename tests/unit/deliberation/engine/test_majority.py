from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.api.v1alpha1.strategy import Stop
from deliberation.engine.asks import Ask
from deliberation.engine.fold import fold
from deliberation.engine.majority import find_keepers, is_decided, is_unassailable
from deliberation.engine.standing import Standing, Wave
from deliberation.engine.strategies import list_legs
from deliberation.engine.votes import count_answers
from deliberation.protocol.entries import Proposal, Stage
from deliberation.protocol.tasks import ResolvedStrategy, SeatTask, Task
from unit.deliberation.engine.scripted import (
    CHOICE,
    NUMBER,
    Answered,
    Driver,
    Ledger,
    build_task,
    build_vote,
    propose,
    stand,
)

WORDS = ("left", "right", "up")


def standing_after(task: Task, answers: tuple[str, ...]) -> Standing:
    """Return how a vote stands when the first seats have answered so, and the others have not."""
    given = {f"s-{i}": Proposal(seat=f"s-{i}", answer=answer) for i, answer in enumerate(answers)}
    missing = tuple(Ask(Stage.PROPOSE, seat.id) for seat in task.seats[len(answers) :])
    return Standing(proposals=given, rounds=(given,), wave=Wave(list_legs(task)[0], missing) if missing else None)


def winner_of(task: Task, answers: tuple[str, ...]) -> str:
    return count_answers(task, standing_after(task, answers).proposals)[0].answer


def votes_needed(task: Task, answers: tuple[str, ...]) -> int:
    seen = range(1, len(answers))
    return next((n for n in seen if is_decided(task, standing_after(task, answers[:n]))), len(answers))


@pytest.mark.parametrize(("choices", "seats"), [(2, 5), (3, 5), (3, 7)])
def test_a_vote_that_stops_early_has_the_winner_of_the_full_vote_on_every_sequence(choices: int, seats: int) -> None:
    task = build_vote(seats, stop=Stop.UNASSAILABLE)
    stopped_early = 0
    for answers in product(WORDS[:choices], repeat=seats):
        needed = votes_needed(task, answers)
        stopped_early += needed < seats
        if needed < seats:
            assert winner_of(task, answers[:needed]) == winner_of(task, answers)
    assert stopped_early


@pytest.mark.parametrize(
    ("seats", "share", "expected"),
    [
        *((5, 0.6, 4.066), (5, 0.7, 3.895), (5, 0.8, 3.634), (5, 0.9, 3.319)),
        *((9, 0.6, 7.354), (9, 0.7, 6.859), (9, 0.8, 6.204), (9, 0.9, 5.554)),
    ],
)
def test_how_many_votes_are_needed_on_the_average(seats: int, share: float, expected: float) -> None:
    """Independent voters who are right with this probability: research, section 8, point 6."""
    task = build_vote(seats, stop=Stop.UNASSAILABLE)
    mean = sum(
        votes_needed(task, answers) * share ** answers.count("left") * (1 - share) ** answers.count("right")
        for answers in product(WORDS[:2], repeat=seats)
    )
    assert mean == pytest.approx(expected, abs=0.0005)


def test_a_beta_stop_needs_fewer_votes_and_hardly_ever_errs() -> None:
    """Nine independent voters who are right with probability .8, as in the test before: 6.204 votes were needed."""
    task = build_vote(9, stop=Stop.BETA)
    mean = wrong = 0.0
    for answers in product(WORDS[:2], repeat=9):
        chance = 0.8 ** answers.count("left") * 0.2 ** answers.count("right")
        needed = votes_needed(task, answers)
        mean += chance * needed
        wrong += chance * (winner_of(task, answers[:needed]) != winner_of(task, answers))
    assert mean == pytest.approx(5.687, abs=0.0005)
    assert wrong == pytest.approx(0.0007, abs=5e-5)


@pytest.mark.parametrize(
    ("seats", "answers", "decided"),
    [
        (9, ("left",) * 3, False),
        (9, ("left",) * 4, True),
        (9, ("left",) * 4 + ("right",), False),
        (5, ("left",) * 3, True),
        (9, (), False),
    ],
)
def test_a_beta_stop_is_there_when_the_lead_is_sure_enough_or_cannot_be_lost(
    seats: int, answers: tuple[str, ...], *, decided: bool
) -> None:
    task = build_vote(seats, stop=Stop.BETA)
    assert is_decided(task, standing_after(task, answers)) is decided


def test_what_is_unassailable_does_not_depend_on_the_rule_that_stopped() -> None:
    task = build_vote(9, stop=Stop.BETA)
    standing = standing_after(task, ("left",) * 4)
    assert not is_unassailable(task, standing, standing.missing)
    assert is_unassailable(task, standing, standing.missing[:3])


@pytest.mark.parametrize(
    "task",
    [
        build_vote(3),
        build_task(3, ResolvedStrategy.DEBATE, answer=CHOICE, stop=Stop.BETA),
        build_vote(9, stop=Stop.BETA, answer=NUMBER.model_copy(update={"tolerance_milli": 1})),
        build_task(3, ResolvedStrategy.DEBATE, answer=CHOICE, stop=Stop.UNASSAILABLE),
        build_vote(3, stop=Stop.UNASSAILABLE, answer=NUMBER.model_copy(update={"tolerance_milli": 1})),
    ],
)
def test_nothing_is_decided_early_unless_it_is_asked_for_and_sure(task: Task) -> None:
    alike = ("left",) * 2 if task.answer == CHOICE else ("1",) * (len(task.seats) - 1)
    assert not is_decided(task, standing_after(task, alike))


def test_before_anybody_has_voted_nothing_is_decided() -> None:
    task = build_vote(1, stop=Stop.UNASSAILABLE)
    assert not is_decided(task, standing_after(task, ()))


def test_weights_decide() -> None:
    heavy = SeatTask(id="s-0", member="s", role="QA", model="small", weight_milli=5000)
    task = build_vote(4, stop=Stop.UNASSAILABLE)
    weighted = task.model_copy(update={"seats": (heavy, *task.seats[1:])})
    assert is_decided(weighted, standing_after(weighted, ("left",)))
    assert not is_decided(task, standing_after(task, ("left",)))


DEBATE = build_task(5, ResolvedStrategy.DEBATE, answer=CHOICE, rounds=2)


def debate_after(*answers: str) -> Standing:
    return stand(DEBATE, *(propose(f"s-{i}", answer) for i, answer in enumerate(answers)))


@pytest.mark.parametrize(
    ("answers", "keepers"),
    [
        (("left", "left", "left", "right", "up"), {"s-0", "s-1", "s-2"}),
        (("left", "left", "right", "right", "up"), set()),
        (("left",) * 5, {"s-0", "s-1", "s-2", "s-3", "s-4"}),
    ],
)
def test_those_of_the_absolute_majority_keep_their_answers(answers: tuple[str, ...], keepers: set[str]) -> None:
    assert find_keepers(DEBATE, debate_after(*answers)) == keepers
    open_minded = DEBATE.model_copy(update={"keep_if_majority": False})
    assert find_keepers(open_minded, debate_after(*answers)) == frozenset()


def test_only_the_others_are_asked_again() -> None:
    standing = debate_after("left", "left", "left", "right", "up")
    assert [(ask.seat, ask.round) for ask in standing.missing] == [("s-3", 1), ("s-4", 1)]


def test_when_all_would_keep_their_answers_the_exchange_is_over() -> None:
    assert debate_after(*("left",) * 5).wave is None


CHOICES = st.sampled_from(CHOICE.choices or ())


@given(st.lists(CHOICES, min_size=1, max_size=7), st.lists(CHOICES, min_size=21, max_size=21), st.integers(1, 3))
def test_an_absolute_majority_of_the_first_round_is_never_overturned(
    first: list[str], later: list[str], rounds: int
) -> None:
    task = build_task(len(first), ResolvedStrategy.DEBATE, answer=CHOICE, rounds=rounds, quorum=1)

    def change_minds(ask: Ask, _: object) -> Answered:
        number = int(ask.seat.removeprefix("s-"))
        answer = later[7 * (ask.round - 1) + number] if ask.round else first[number]
        return Answered(f'{{"answer": "{answer}"}}')

    ledger = Ledger()
    Driver(task, ledger, change_minds).run()
    end = fold(task, ledger.records)
    most = max(first, key=first.count)
    if 2 * first.count(most) > len(first):
        assert count_answers(task, end.proposals)[0].answer == most
    assert [proposal.answer for proposal in end.rounds[0].values()] == first
