"""What all rules that go by ranks have in common."""

from collections.abc import Callable, Mapping
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deliberation.aggregation.borda import borda
from deliberation.aggregation.bradley_terry import bradley_terry
from deliberation.aggregation.comparisons import Comparisons, compare, find_condorcet_winner
from deliberation.aggregation.copeland import copeland
from deliberation.aggregation.kemeny import kemeny
from unit.deliberation.aggregation.elections import CYCLE, Ballots, any_ballots, elect, elect_orders, rename

Rule = Callable[[Comparisons], Mapping[str, Fraction | float]]


def kemeny_level(comparisons: Comparisons) -> dict[str, Fraction]:
    groups = kemeny(comparisons).groups
    return {item: Fraction(-place) for place, group in enumerate(groups) for item in group}


RULES: tuple[Rule, ...] = (borda, copeland, bradley_terry, kemeny_level)
MONOTONE: tuple[Rule, ...] = (borda, copeland, bradley_terry)
CONDORCET: tuple[Rule, ...] = (copeland, kemeny_level)


def ranks(rule: Rule, comparisons: Comparisons) -> dict[str, int]:
    values = rule(comparisons)
    return {item: 1 + sum(other > value for other in values.values()) for item, value in values.items()}


@pytest.mark.parametrize("rule", RULES)
class TestEveryRule:
    @given(ballots=any_ballots(most_items=5), data=st.data())
    def test_names_and_order_play_no_part(self, rule: Rule, ballots: Ballots, data: st.DataObject) -> None:
        plain = elect(ballots)
        names = dict(zip(plain.items, data.draw(st.permutations(plain.items)), strict=True))
        renamed = ranks(rule, elect(rename(ballots, names)))
        assert {item: renamed[names[item]] for item in plain.items} == ranks(rule, plain)

    @given(orders=st.permutations("ABCDE"), judges=st.integers(1, 4))
    def test_what_all_agree_on_is_the_order(self, rule: Rule, orders: list[str], judges: int) -> None:
        result = ranks(rule, elect_orders({"".join(orders): judges}))
        assert sorted(result, key=lambda item: result[item]) == orders
        assert sorted(result.values()) == [1, 2, 3, 4, 5]

    def test_a_circle_ties_all(self, rule: Rule) -> None:
        assert ranks(rule, elect_orders(CYCLE)) == {"A": 1, "B": 1, "C": 1}

    @given(ballots=any_ballots())
    def test_two_who_contradict_each_other_in_all_tie_all(self, rule: Rule, ballots: Ballots) -> None:
        opposed = {f"not-{judge}": {i: -score for i, score in ranked.items()} for judge, ranked in ballots.items()}
        assert set(ranks(rule, elect(ballots | opposed)).values()) == {1}

    def test_without_any_ballot_all_tie(self, rule: Rule) -> None:
        assert ranks(rule, compare("ABC", {}, {})) == {"A": 1, "B": 1, "C": 1}

    @pytest.mark.parametrize("items", ["", "A"])
    def test_nothing_to_compare_is_no_fault(self, rule: Rule, items: str) -> None:
        assert ranks(rule, compare(items, {}, {})) == dict.fromkeys(items, 1)

    @given(ballots=any_ballots(), stretch=st.integers(1, 9), shift=st.integers(-9, 9))
    def test_a_judge_s_own_scale_plays_no_part(self, rule: Rule, ballots: Ballots, stretch: int, shift: int) -> None:
        judge, ranked = next(iter(ballots.items()))
        changed = ballots | {judge: {item: stretch * score + shift for item, score in ranked.items()}}
        assert rule(elect(changed)) == rule(elect(ballots))

    @given(ballots=any_ballots())
    def test_a_judge_of_double_weight_is_two_judges(self, rule: Rule, ballots: Ballots) -> None:
        judge, ranked = next(iter(ballots.items()))
        weights = dict.fromkeys(ballots, 1000)
        heavier = elect(ballots, weights=weights | {judge: 2000})
        assert rule(heavier) == rule(elect(ballots | {"twin": ranked}))


@pytest.mark.parametrize("rule", MONOTONE)
@given(ballots=any_ballots(), data=st.data())
def test_a_better_score_never_worsens_a_rank(rule: Rule, ballots: Ballots, data: st.DataObject) -> None:
    judge = data.draw(st.sampled_from(sorted(ballots)))
    item = data.draw(st.sampled_from(sorted(ballots[judge])))
    raised = ballots | {judge: ballots[judge] | {item: ballots[judge][item] + data.draw(st.integers(1, 4))}}
    assert ranks(rule, elect(raised))[item] <= ranks(rule, elect(ballots))[item]


@pytest.mark.parametrize("rule", CONDORCET)
@given(ballots=any_ballots())
def test_a_condorcet_winner_wins_alone(rule: Rule, ballots: Ballots) -> None:
    result = elect(ballots)
    winner = find_condorcet_winner(result)
    assume(winner is not None)
    assert [item for item, rank in ranks(rule, result).items() if rank == 1] == [winner]
