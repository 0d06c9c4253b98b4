import math
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.api.v1alpha1.deliberation import Answer
from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.api.v1alpha1.strategy import Aggregation
from deliberation.engine.ranking import Ranking, rank
from deliberation.protocol.entries import Abstention, Ballot, Stage
from deliberation.protocol.tasks import ResolvedStrategy, SeatTask, Task
from unit.deliberation.engine.scripted import (
    CHOICE,
    NUMBER,
    ONE_CRITERION,
    ballot,
    build_task,
    build_vote,
    propose,
    stand,
)

FOUR = build_task(4)

BALLOTS_OF_FOUR = (
    {"s-1": 5, "s-2": 3, "s-3": 1},
    {"s-0": 4, "s-2": 4, "s-3": 1},
    {"s-0": 5, "s-1": 5, "s-3": 2},
    {"s-0": 3, "s-1": 5, "s-2": 1},
)


def panel_of_four() -> Ranking:
    proposals = (propose(f"s-{i}", "x" * (i + 1)) for i in range(4))
    ballots = (ballot(f"s-{i}", scores) for i, scores in enumerate(BALLOTS_OF_FOUR))
    return rank(FOUR, stand(FOUR, *proposals, *ballots))


def order(ranking: Ranking) -> list[tuple[str, int]]:
    return [(place.proposal.seat, place.rank) for place in ranking.places]


def vote(*answers: str, answer: Answer = CHOICE, weights: tuple[int, ...] = ()) -> Ranking:
    task = build_vote(len(answers), answer=answer)
    seats = tuple(
        seat.model_copy(update={"weight_milli": weight})
        for seat, weight in zip(task.seats, weights or (1000,) * len(answers), strict=True)
    )
    task = task.model_copy(update={"seats": seats})
    return rank(task, stand(task, *(propose(f"s-{i}", text, 10 - i) for i, text in enumerate(answers))))


class TestPanel:
    def test_the_mean_of_z_scores_decides(self) -> None:
        ranking = panel_of_four()
        by_hand = {
            "s-0": (1 / math.sqrt(2) + 1 / math.sqrt(2) + 0.0) / 3,
            "s-1": (math.sqrt(1.5) + 1 / math.sqrt(2) + math.sqrt(1.5)) / 3,
            "s-2": (0.0 + 1 / math.sqrt(2) - math.sqrt(1.5)) / 3,
            "s-3": (-math.sqrt(1.5) - math.sqrt(2) - math.sqrt(2)) / 3,
        }
        assert order(ranking) == [("s-1", 1), ("s-0", 2), ("s-2", 3), ("s-3", 4)]
        for place in ranking.places:
            assert place.score is not None
            assert place.score.mean == pytest.approx(by_hand[place.proposal.seat])
            assert place.score.count == 3

    def test_a_lead_of_less_than_its_standard_error_is_a_tie(self) -> None:
        ballots = (
            ballot("s-0", {"s-1": 5, "s-2": 4, "s-3": 1}),
            ballot("s-1", {"s-0": 3, "s-2": 4, "s-3": 1}),
            ballot("s-2", {"s-0": 3, "s-1": 4, "s-3": 5}),
            ballot("s-3", {"s-0": 2, "s-1": 4, "s-2": 5}),
        )
        proposals = (propose(f"s-{i}", "x" * (i + 1)) for i in range(4))
        ranking = rank(FOUR, stand(FOUR, *proposals, *ballots))
        assert order(ranking) == [("s-2", 1), ("s-1", 2), ("s-3", 3), ("s-0", 3)]
        assert [place.tied_with for place in ranking.places] == [(), (), ("s-0",), ("s-3",)]

    def test_three_judges_that_agree_leave_no_tie(self) -> None:
        task = build_task(3)
        ballots = (
            ballot("s-0", {"s-1": 2, "s-2": 1}),
            ballot("s-1", {"s-0": 5, "s-2": 4}),
            ballot("s-2", {"s-0": 4, "s-1": 3}),
        )
        ranking = rank(task, stand(task, propose("s-0", "a"), propose("s-1", "b"), propose("s-2", "c"), *ballots))
        assert order(ranking) == [("s-0", 1), ("s-1", 2), ("s-2", 3)]

    def test_three_judges_in_a_circle_tie_all(self) -> None:
        task = build_task(3)
        ballots = (
            ballot("s-0", {"s-1": 2, "s-2": 1}),
            ballot("s-1", {"s-2": 5, "s-0": 4}),
            ballot("s-2", {"s-0": 4, "s-1": 3}),
        )
        proposals = (propose("s-0", "a", 30), propose("s-1", "b", 10), propose("s-2", "c", 20))
        ranking = rank(task, stand(task, *proposals, *ballots))
        assert order(ranking) == [("s-1", 1), ("s-2", 1), ("s-0", 1)]
        assert ranking.places[0].tied_with == ("s-2", "s-0")

    def test_two_seats_judge_one_proposal_each_so_nothing_decides_between_them(self) -> None:
        task = build_task(2)
        ballots = (ballot("s-0", {"s-1": 5}), ballot("s-1", {"s-0": 1}))
        ranking = rank(task, stand(task, propose("s-0", "a"), propose("s-1", "b"), *ballots))
        assert order(ranking) == [("s-0", 1), ("s-1", 1)]

    def test_criteria_count_by_their_weights(self) -> None:
        task = build_task(3)
        good_but_unclear = {"correctness": 5, "completeness": 3, "clarity": 1}
        clear_but_wrong = {"correctness": 1, "completeness": 3, "clarity": 5}
        ballots = (
            ballot("s-0", {"s-1": good_but_unclear, "s-2": clear_but_wrong}),
            ballot("s-1", {"s-0": 3, "s-2": clear_but_wrong}),
            ballot("s-2", {"s-0": 3, "s-1": good_but_unclear}),
        )
        ranking = rank(task, stand(task, propose("s-0", "a"), propose("s-1", "b"), propose("s-2", "c"), *ballots))
        assert [seat for seat, _ in order(ranking)] == ["s-1", "s-0", "s-2"]
        means = {mean.name: (mean.mean, mean.ballots) for mean in ranking.places[0].criteria}
        assert means == {name: (Fraction(mean), 2) for name, mean in good_but_unclear.items()}

    def test_a_judge_s_ballot_counts_by_its_seat_s_weight(self) -> None:
        seats = tuple(
            SeatTask(id=f"s-{i}", member="s", role="QA", model="small", weight_milli=weight)
            for i, weight in enumerate((1000, 1000, 1000, 9000))
        )
        task = FOUR.model_copy(update={"seats": seats})
        ballots = (
            ballot("s-0", {"s-1": 1, "s-2": 3, "s-3": 3}),
            ballot("s-3", {"s-0": 3, "s-1": 5, "s-2": 1}),
        )
        ranking = rank(task, stand(task, *(propose(f"s-{i}", "x" * (i + 1)) for i in range(4)), *ballots))
        heavy, light = math.sqrt(1.5), -math.sqrt(2)
        score = {place.proposal.seat: place.score for place in ranking.places}["s-1"]
        assert score is not None
        assert score.mean == pytest.approx((9 * heavy + light) / 10)

    def test_what_nobody_scored_counts_as_average_and_shows_no_score(self) -> None:
        task = build_task(3)
        only = ballot("s-0", {"s-1": 4, "s-2": 2})
        ranking = rank(task, stand(task, propose("s-0", "a"), propose("s-1", "b"), propose("s-2", "c"), only))
        assert order(ranking) == [("s-1", 1), ("s-0", 2), ("s-2", 3)]
        assert ranking.places[1].score is None
        assert ranking.places[1].criteria == ()
        assert ranking.places[0].score is not None
        assert ranking.places[0].score.stderr is None

    def test_without_ballots_all_are_tied_in_a_fixed_order(self) -> None:
        task = build_task(3)
        ranking = rank(task, stand(task, propose("s-0", "a", 9), propose("s-1", "b", 3), propose("s-2", "c", 3)))
        assert order(ranking) == [("s-1", 1), ("s-2", 1), ("s-0", 1)]
        assert all(place.score is None for place in ranking.places)

    def test_equal_texts_are_not_tied_with_each_other(self) -> None:
        task = build_task(3)
        ranking = rank(task, stand(task, propose("s-0", "same"), propose("s-1", "same"), propose("s-2", "other")))
        assert ranking.places[0].tied_with == ("s-2",)

    def test_a_lenient_judge_and_a_strict_one_weigh_the_same(self) -> None:
        """Adding to all scores of one judge, or stretching its scale, changes nothing."""
        proposals = [propose(f"s-{i}", "x" * (i + 1)) for i in range(4)]
        base = ({"s-1": 3, "s-2": 2, "s-3": 1}, {"s-0": 2, "s-2": 3, "s-3": 1}, {"s-0": 1, "s-1": 3, "s-3": 2})
        changed = ({"s-1": 5, "s-2": 3, "s-3": 1}, {"s-0": 4, "s-2": 5, "s-3": 3}, {"s-0": 1, "s-1": 3, "s-3": 2})
        rankings = [
            rank(FOUR, stand(FOUR, *proposals, *(ballot(f"s-{i}", given) for i, given in enumerate(ballots))))
            for ballots in (base, changed)
        ]
        assert order(rankings[0]) == order(rankings[1])


SCORES = st.fixed_dictionaries(
    {
        f"s-{judge}": st.fixed_dictionaries({f"s-{o}": st.integers(1, 5) for o in range(4) if o != judge})
        for judge in range(4)
    }
)


@given(SCORES, st.permutations(range(8)), st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_the_order_of_arrival_plays_no_part(
    scores: dict[str, dict[str, int]], arrival: list[int], tokens: list[int]
) -> None:
    """Ancestor's defect D8: every score was the same, so the first to answer won."""
    proposals = [propose(f"s-{i}", "x" * (i + 1), tokens[i]) for i in range(4)]
    ballots = [ballot(judge, given) for judge, given in scores.items()]
    arrived = [proposals[i] for i in arrival if i < 4] + [ballots[i - 4] for i in arrival if i >= 4]
    assert rank(FOUR, stand(FOUR, *arrived)) == rank(FOUR, stand(FOUR, *proposals, *ballots))


@given(SCORES, st.sampled_from(list(permutations(range(4)))))
def test_the_names_and_places_of_seats_play_no_part_but_in_the_order_of_ties(
    scores: dict[str, dict[str, int]], renamed: tuple[int, ...]
) -> None:
    new = {f"s-{i}": f"s-{renamed[i]}" for i in range(4)}
    old = {name: seat for seat, name in new.items()}

    def ranks(names: dict[str, str]) -> dict[str, tuple[int, float | None]]:
        proposals = [propose(names[f"s-{i}"], "x" * (i + 1)) for i in range(4)]
        ballots = [
            ballot(names[judge], {names[seat]: score for seat, score in given.items()})
            for judge, given in scores.items()
        ]
        ranking = rank(FOUR, stand(FOUR, *proposals, *ballots))
        return {
            place.proposal.seat: (place.rank, round(place.score.mean, 9) if place.score else None)
            for place in ranking.places
        }

    plain = ranks({seat: seat for seat in new})
    assert {old[seat]: place for seat, place in ranks(new).items()} == plain


class TestVote:
    def test_the_answer_with_most_votes_wins(self) -> None:
        ranking = vote("left", "right", "left", "up", "left")
        assert [(cluster.answer, len(cluster.seats)) for cluster in ranking.clusters] == [
            ("left", 3),
            ("up", 1),
            ("right", 1),
        ]
        assert order(ranking) == [("s-4", 1), ("s-2", 1), ("s-0", 1), ("s-3", 4), ("s-1", 4)]
        assert (ranking.winner_share, ranking.margin) == (Fraction(3, 5), Fraction(2, 5))
        assert ranking.places[0].votes_milli == 3000
        assert ranking.places[0].tied_with == ()
        assert ranking.places[3].tied_with == ("s-1",)

    def test_a_seat_s_vote_counts_by_its_weight(self) -> None:
        ranking = vote("left", "right", "left", weights=(500, 2000, 500))
        assert ranking.clusters[0].answer == "right"
        assert (ranking.winner_share, ranking.margin) == (Fraction(2, 3), Fraction(1, 3))

    def test_unanimity_wins_all(self) -> None:
        ranking = vote("left", "left", "left")
        assert (ranking.winner_share, ranking.margin) == (Fraction(1), Fraction(1))

    def test_equal_answers_are_tied(self) -> None:
        ranking = vote("left", "right")
        assert {place.rank for place in ranking.places} == {1}
        assert [place.tied_with for place in ranking.places] == [("s-0",), ("s-1",)]
        assert ranking.margin == 0

    def test_spellings_of_one_answer_are_one(self) -> None:
        task = build_vote(2)
        ranking = rank(task, stand(task, propose("s-0", "LEFT"), propose("s-1", " left ")))
        assert [cluster.answer for cluster in ranking.clusters] == ["left"]
        assert [c.answer for c in vote("1,000", "1e3", answer=NUMBER).clusters] == ["1000"]

    def test_nobody_voted(self) -> None:
        task = build_vote(3)
        ranking = rank(task, stand(task))
        assert (ranking.places, ranking.winner_share, ranking.margin) == ((), None, None)

    def test_an_abstention_is_the_same_as_an_absent_seat(self) -> None:
        whole, smaller = build_vote(4), build_vote(3)
        proposals = [propose("s-0", "left"), propose("s-1", "up"), propose("s-2", "left")]
        assert rank(whole, stand(whole, *proposals)) == rank(smaller, stand(smaller, *proposals))


@pytest.mark.parametrize("strategy", list(ResolvedStrategy))
def test_a_single_proposal_is_first(strategy: ResolvedStrategy) -> None:
    task: Task = build_task(1, strategy, criteria=ONE_CRITERION)
    assert order(rank(task, stand(task, propose("s-0")))) == [("s-0", 1)]


def panel_by(aggregation: Aggregation, *ballots: Ballot, task: Task | None = None) -> Ranking:
    task = (task or FOUR).model_copy(update={"aggregation": aggregation})
    return rank(task, stand(task, *(propose(f"s-{i}", "x" * (i + 1)) for i in range(len(task.seats))), *ballots))


class TestRules:
    """One panel, on which the rules differ."""

    BALLOTS = (
        ballot("s-0", {"s-1": 3, "s-2": 1, "s-3": 5}),
        ballot("s-1", {"s-0": 5, "s-2": 4, "s-3": 4}),
        ballot("s-2", {"s-0": 5, "s-1": 5, "s-3": 1}),
        ballot("s-3", {"s-0": 1, "s-1": 5, "s-2": 2}),
    )

    @pytest.mark.parametrize(
        ("aggregation", "expected"),
        [
            (Aggregation.PLURALITY, [("s-1", 1), ("s-0", 1), ("s-3", 3), ("s-2", 4)]),
            (Aggregation.BORDA, [("s-1", 1), ("s-0", 2), ("s-3", 3), ("s-2", 4)]),
            (Aggregation.COPELAND, [("s-1", 1), ("s-0", 2), ("s-3", 2), ("s-2", 4)]),
            (Aggregation.KEMENY, [("s-1", 1), ("s-0", 2), ("s-3", 3), ("s-2", 4)]),
            (Aggregation.BRADLEY_TERRY, [("s-1", 1), ("s-0", 2), ("s-3", 3), ("s-2", 4)]),
        ],
    )
    def test_the_declared_rule_decides(self, aggregation: Aggregation, expected: list[tuple[str, int]]) -> None:
        assert order(panel_by(aggregation, *self.BALLOTS)) == expected

    def test_first_places_and_wins_are_told_whatever_the_rule(self) -> None:
        ranking = panel_by(Aggregation.SCORE_MEAN, *self.BALLOTS)
        told = {place.proposal.id: (place.first_places, place.pairwise_wins) for place in ranking.places}
        assert told == {"s-0": (2, 1), "s-1": (2, 2), "s-2": (0, 0), "s-3": (1, 1)}

    @pytest.mark.parametrize("aggregation", list(Aggregation))
    def test_what_all_judges_agree_on_is_the_order(self, aggregation: Aggregation) -> None:
        agreed = {"s-0": 2, "s-1": 4, "s-2": 5, "s-3": 1}
        ballots = (ballot(seat, {name: score for name, score in agreed.items() if name != seat}) for seat in agreed)
        assert [seat for seat, _ in order(panel_by(aggregation, *ballots))][:2] == ["s-2", "s-1"]

    @pytest.mark.parametrize("aggregation", list(Aggregation))
    def test_without_ballots_all_are_tied(self, aggregation: Aggregation) -> None:
        assert order(panel_by(aggregation)) == [("s-0", 1), ("s-1", 1), ("s-2", 1), ("s-3", 1)]

    def test_a_circle_too_large_for_kemeny_is_told(self) -> None:
        task = build_task(17)
        names = [seat.id for seat in task.seats]
        turned = (
            ballot(judge, {name: 1 + (place + turn) % 17 // 4 for place, name in enumerate(names) if name != judge})
            for turn, judge in enumerate(names)
        )
        assert not panel_by(Aggregation.KEMENY, *turned, task=task).exact
        assert panel_by(Aggregation.KEMENY, *self.BALLOTS).exact


@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_by_every_rule_an_abstention_is_the_same_as_an_absent_seat(aggregation: Aggregation) -> None:
    whole, smaller = (build_task(seats, aggregation=aggregation, quorum=2) for seats in (4, 3))
    proposals = [propose(f"s-{i}", "x" * (i + 1)) for i in range(3)]
    ballots = (ballot("s-0", {"s-1": 2, "s-2": 1}), ballot("s-1", {"s-0": 5, "s-2": 4}))
    silent = Abstention(seat="s-3", stage=Stage.PROPOSE, reason=AbstentionReason.MALFORMED_ANSWER)
    ranking = rank(smaller, stand(smaller, *proposals, *ballots))
    assert rank(whole, stand(whole, *proposals, silent, *ballots)) == ranking
    assert len(ranking.places) == 3


RULES = st.sampled_from(list(Aggregation))


@given(SCORES, RULES, st.permutations(range(8)))
def test_by_every_rule_the_order_of_arrival_plays_no_part(
    scores: dict[str, dict[str, int]], aggregation: Aggregation, arrival: list[int]
) -> None:
    task = FOUR.model_copy(update={"aggregation": aggregation})
    proposals = [propose(f"s-{i}", "x" * (i + 1)) for i in range(4)]
    ballots = [ballot(judge, given) for judge, given in scores.items()]
    arrived = [proposals[i] for i in arrival if i < 4] + [ballots[i - 4] for i in arrival if i >= 4]
    assert rank(task, stand(task, *arrived)) == rank(task, stand(task, *proposals, *ballots))


@given(SCORES, RULES, st.sampled_from(list(permutations(range(4)))))
def test_by_every_rule_permuting_the_seats_permutes_the_ranks(
    scores: dict[str, dict[str, int]], aggregation: Aggregation, renamed: tuple[int, ...]
) -> None:
    task = FOUR.model_copy(update={"aggregation": aggregation})

    def ranks(names: dict[str, str]) -> dict[str, int]:
        proposals = [propose(names[f"s-{i}"], "x" * (i + 1)) for i in range(4)]
        ballots = [
            ballot(names[seat], {names[name]: score for name, score in given.items()}) for seat, given in scores.items()
        ]
        return {place.proposal.seat: place.rank for place in rank(task, stand(task, *proposals, *ballots)).places}

    new = {f"s-{i}": f"s-{renamed[i]}" for i in range(4)}
    plain, permuted = ranks({seat: seat for seat in new}), ranks(new)
    assert {seat: permuted[new[seat]] for seat in new} == plain
