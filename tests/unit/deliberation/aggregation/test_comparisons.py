from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from deliberation.aggregation.comparisons import (
    Comparisons,
    compare,
    count_pairwise_wins,
    find_condorcet_winner,
    has_cycle,
)
from unit.deliberation.aggregation.elections import (
    CYCLE,
    TENNESSEE,
    Ballots,
    any_ballots,
    ballots_of,
    elect,
    elect_orders,
    rename,
)


def percent(comparisons: Comparisons, one: str, other: str) -> tuple[int, int]:
    """Return how many whole votes put the first above the second, and the second above the first."""
    i, j = comparisons.items.index(one), comparisons.items.index(other)
    return comparisons.above[i][j] // 2000, comparisons.above[j][i] // 2000


class TestTennessee:
    """Four cities, a hundred voters: the standard example of methods that differ."""

    RESULT = elect_orders(TENNESSEE)

    def test_every_pair(self) -> None:
        assert percent(self.RESULT, "N", "M") == (58, 42)
        assert percent(self.RESULT, "N", "C") == (68, 32)
        assert percent(self.RESULT, "N", "K") == (68, 32)
        assert percent(self.RESULT, "C", "K") == (83, 17)

    def test_nashville_beats_all_others(self) -> None:
        assert find_condorcet_winner(self.RESULT) == "N"
        assert count_pairwise_wins(self.RESULT) == {"N": 3, "C": 2, "K": 1, "M": 0}
        assert not has_cycle(self.RESULT)


def test_three_majorities_in_a_circle_have_no_winner() -> None:
    result = elect_orders(CYCLE)
    assert find_condorcet_winner(result) is None
    assert has_cycle(result)
    assert count_pairwise_wins(result) == {"A": 1, "B": 1, "C": 1}


def test_an_even_split_is_neither_a_win_nor_a_circle() -> None:
    result = elect_orders({"AB": 1, "BA": 1})
    assert (find_condorcet_winner(result), has_cycle(result)) == (None, False)


def test_a_tie_on_a_ballot_counts_half_for_either_side() -> None:
    result = elect({"x": {"A": 3, "B": 3}, "y": {"A": 4, "B": 2}})
    assert result.above == ((0, 3000), (1000, 0))


def test_judges_count_by_their_weight() -> None:
    result = elect({"x": {"A": 3, "B": 1}, "y": {"A": 1, "B": 2}}, weights={"x": 500, "y": 700})
    assert find_condorcet_winner(result) == "B"
    assert result.lead(1, 0) == 400


def test_what_a_judge_left_out_it_did_not_compare() -> None:
    result = compare("ABC", {"x": {"A": 3, "B": 1}}, {"x": 1000})
    assert result.above == ((0, 2000, 0), (0, 0, 0), (0, 0, 0))
    assert find_condorcet_winner(result) is None


def test_a_single_item_beats_nobody() -> None:
    assert find_condorcet_winner(compare("A", {}, {})) is None


class TestStakes:
    BALLOTS: ClassVar[Ballots] = {"a": {"A": 5, "B": 1}, "b": {"A": 2, "B": 3}}
    WEIGHTS: ClassVar = dict.fromkeys("ab", 1000)

    def test_a_judge_with_a_stake_in_one_of_two_is_not_heard_where_another_can_decide(self) -> None:
        result = compare("AB", self.BALLOTS, self.WEIGHTS, {("a", "A")})
        assert result.above == ((0, 0), (2000, 0))
        assert not result.partial

    def test_it_is_heard_where_nobody_else_can_decide_and_that_is_told(self) -> None:
        result = compare("AB", self.BALLOTS, self.WEIGHTS, {("a", "A"), ("b", "B")})
        assert result.above == ((0, 2000), (2000, 0))
        assert result.partial

    def test_a_stake_in_both_is_a_stake_in_neither(self) -> None:
        result = compare("AB", self.BALLOTS, self.WEIGHTS, {("a", "A"), ("a", "B")})
        assert result == Comparisons(("A", "B"), ((0, 2000), (2000, 0)), partial=False)

    def test_it_is_not_heard_where_the_others_are_split(self) -> None:
        ballots = self.BALLOTS | {"c": {"A": 2, "B": 1}}
        result = compare("AB", ballots, dict.fromkeys("abc", 1000), {("a", "A")})
        assert result == Comparisons(("A", "B"), ((0, 2000), (2000, 0)), partial=False)


@given(any_ballots(), st.data())
def test_neither_names_nor_order_of_judges_and_items_play_a_part(ballots: Ballots, data: st.DataObject) -> None:
    plain = elect(ballots)
    names = dict(zip(plain.items, data.draw(st.permutations(plain.items)), strict=True))
    other = elect(rename(ballots, names))
    for one in plain.items:
        for two in plain.items:
            assert percent(other, names[one], names[two]) == percent(plain, one, two)


@given(any_ballots(itself=False))
def test_every_pair_was_compared_by_all_judges_but_themselves(ballots: Ballots) -> None:
    result = elect(ballots)
    met = {result.above[i][j] + result.above[j][i] for i in range(len(result.items)) for j in range(i)}
    assert met == {2000 * (len(ballots) - 2)}


def test_orders_are_ballots() -> None:
    assert ballots_of({"AB": 1}) == {"judge-0": {"A": 0, "B": -1}}
