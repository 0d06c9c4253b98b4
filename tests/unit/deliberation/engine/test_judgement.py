import math
from fractions import Fraction
from typing import Any

import pytest

from deliberation.api.v1alpha1.strategy import Aggregation
from deliberation.engine.judgement import judge
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Ballot
from deliberation.protocol.tasks import ModelAddress, Task
from unit.deliberation.engine.scripted import ballot, build_task, propose, stand

TASK = build_task(3)
MODELS = tuple(ModelAddress(name=name, base_url="u", model_name=name) for name in ("one", "other"))


def mixed(*models: str, **changes: Any) -> Task:
    """Return a task whose seats use these models."""
    task = build_task(len(models), models=MODELS, **changes)
    seats = tuple(seat.model_copy(update={"model": name}) for seat, name in zip(task.seats, models, strict=True))
    return task.model_copy(update={"seats": seats})


def standing_of(task: Task, *ballots: Ballot) -> Standing:
    """Return a standing that holds these ballots, whatever the judges were asked for."""
    standing = stand(task, *(propose(seat.id, seat.id) for seat in task.seats))
    return Standing(
        proposals=standing.proposals, rounds=standing.rounds, ballots={(b.judge, b.order): b for b in ballots}
    )


def second(given: Ballot) -> Ballot:
    return given.model_copy(update={"order": 1})


def test_scores_are_weighted_by_criterion() -> None:
    given = {"correctness": 5, "completeness": 3, "clarity": 1}
    told = judge(TASK, standing_of(TASK, ballot("s-0", {"s-1": given, "s-2": 2})))
    assert told.scores == {"s-0": {"s-1": 500 * 5 + 300 * 3 + 200 * 1, "s-2": 2000}}
    assert {mean.name: mean.mean for mean in told.criteria["s-1"]} == {
        name: Fraction(score) for name, score in given.items()
    }
    assert "s-0" not in told.criteria


class TestTwoOrders:
    FIRST = ballot("s-0", {"s-1": 5, "s-2": 1})
    SECOND = second(ballot("s-0", {"s-1": 1, "s-2": 4}))

    def test_both_ballots_of_a_judge_are_heard_as_one(self) -> None:
        told = judge(TASK, standing_of(TASK, self.FIRST, self.SECOND))
        assert told.scores == {"s-0": {"s-1": 6000, "s-2": 5000}}
        assert told.estimates["s-1"].mean == pytest.approx(1)
        assert told.estimates["s-1"].count == 1
        assert told.comparisons.lead(1, 2) == 2000
        assert told.criteria["s-1"][0].mean == Fraction(3)
        assert told.criteria["s-1"][0].ballots == 2

    def test_a_reading_is_kept_by_itself_if_there_is_another(self) -> None:
        told = judge(TASK, standing_of(TASK, self.FIRST, self.SECOND, ballot("s-1", {"s-0": 1, "s-2": 2})))
        assert told.readings == (({"s-1": 5000, "s-2": 1000}, {"s-1": 1000, "s-2": 4000}),)

    @pytest.mark.parametrize("only", [FIRST, SECOND])
    def test_one_ballot_does_where_the_other_did_not_come(self, only: Ballot) -> None:
        told = judge(TASK, standing_of(TASK, only))
        assert told.estimates["s-1"].count == 1
        assert told.readings == ()


class TestSameModel:
    def test_what_a_judge_says_of_its_own_model_counts_only_where_nobody_else_judges(self) -> None:
        task = mixed("one", "one", "other")
        told = judge(
            task,
            standing_of(
                task,
                ballot("s-0", {"s-1": 5, "s-2": 1}),
                ballot("s-1", {"s-0": 5, "s-2": 1}),
                ballot("s-2", {"s-0": 1, "s-1": 2}),
            ),
        )
        scores = {name: (round(score.mean, 6), score.count) for name, score in told.estimates.items()}
        assert scores == {"s-0": (-1.0, 1), "s-1": (1.0, 1), "s-2": (-1.0, 2)}
        assert told.partial
        assert told.comparisons.lead(1, 0) == 2000
        assert told.comparisons.lead(0, 2) == 2000

    def test_a_model_with_one_seat_can_win_against_one_with_three(self) -> None:
        """If judges scored only other models, the lone seat's proposal would be average, whatever it is worth."""
        task = mixed("one", "one", "one", "other")
        worth = {"s-0": 2, "s-1": 3, "s-2": 1, "s-3": 5}
        ballots = (ballot(seat, {name: score for name, score in worth.items() if name != seat}) for seat in worth)
        told = judge(task, standing_of(task, *ballots))
        order = sorted(told.estimates, key=lambda name: -told.estimates[name].mean)
        assert order == ["s-3", "s-1", "s-0", "s-2"]
        assert all(told.comparisons.lead(3, other) > 0 for other in range(3))

    def test_its_scale_is_taken_from_all_that_it_scored(self) -> None:
        task = mixed("one", "one", "other", "other")
        told = judge(task, standing_of(task, ballot("s-0", {"s-1": 5, "s-2": 3, "s-3": 1}), ballot("s-2", {"s-1": 3})))
        assert told.estimates["s-2"].mean == pytest.approx(0)
        assert told.estimates["s-3"].mean == pytest.approx(-math.sqrt(1.5))
        assert told.estimates["s-1"].count == 1

    def test_judges_of_different_models_have_no_stake(self) -> None:
        task = mixed("one", "other", "one")
        other = task.seats[2].model_copy(update={"model": "third"})
        task = task.model_copy(update={"seats": (*task.seats[:2], other)})
        assert not judge(task, standing_of(task, ballot("s-0", {"s-1": 5, "s-2": 1}))).partial

    def test_first_places_are_given_by_all_so_a_stake_is_told(self) -> None:
        task = mixed("one", "one", "other", "other", aggregation=Aggregation.PLURALITY)
        ballots = (
            ballot("s-0", {"s-1": 5, "s-2": 3, "s-3": 1}),
            ballot("s-2", {"s-0": 5, "s-1": 3, "s-3": 1}),
            ballot("s-1", {"s-2": 1, "s-3": 2}),
        )
        assert judge(task, standing_of(task, *ballots)).partial
        unakin = (ballot("s-0", {"s-2": 3, "s-3": 1}), ballot("s-2", {"s-0": 5, "s-1": 3}))
        assert not judge(task, standing_of(task, *unakin)).partial


def test_without_ballots_nothing_is_known() -> None:
    told = judge(TASK, standing_of(TASK))
    assert (told.scores, told.criteria, told.partial) == ({}, {}, False)
    assert {score.count for score in told.estimates.values()} == {0}
