import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from deliberation.aggregation.bias import correlate_with_length, measure_position_consistency


class TestPositionConsistency:
    @pytest.mark.parametrize(
        ("second", "expected"),
        [
            ({"a": 5, "b": 3, "c": 1}, Fraction(1)),
            ({"a": 4, "b": 2, "c": 1}, Fraction(1)),
            ({"a": 1, "b": 3, "c": 5}, Fraction(0)),
            ({"a": 5, "b": 3, "c": 3}, Fraction(5, 6)),
            ({"a": 3, "b": 5, "c": 1}, Fraction(2, 3)),
        ],
    )
    def test_it_is_the_share_of_pairs_in_the_same_order(self, second: dict[str, int], expected: Fraction) -> None:
        assert measure_position_consistency([({"a": 5, "b": 3, "c": 1}, second)]) == expected

    def test_all_judges_together(self) -> None:
        ballots = [({"a": 2, "b": 1}, {"a": 2, "b": 1}), ({"b": 2, "c": 1}, {"b": 1, "c": 2})]
        assert measure_position_consistency(ballots) == Fraction(1, 2)

    def test_no_difference_in_both_is_the_same(self) -> None:
        assert measure_position_consistency([({"a": 2, "b": 2}, {"a": 4, "b": 4})]) == 1

    @pytest.mark.parametrize("ballots", [[], [({"a": 1}, {"a": 2})]])
    def test_nothing_read_twice(self, ballots: list[tuple[dict[str, int], dict[str, int]]]) -> None:
        assert measure_position_consistency(ballots) is None


class TestLength:
    def test_the_longer_the_better(self) -> None:
        assert correlate_with_length({"a": 3, "b": 2, "c": 1}, {"a": 900, "b": 30, "c": 2}) == pytest.approx(1)
        assert correlate_with_length({"a": 1, "b": 2, "c": 3}, {"a": 900, "b": 30, "c": 2}) == pytest.approx(-1)

    def test_ties_share_their_ranks(self) -> None:
        expected = 1.5 / math.sqrt(1.5 * 2)
        assert correlate_with_length({"a": 2, "b": 2, "c": 1}, {"a": 9, "b": 3, "c": 1}) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("scores", "lengths"),
        [
            ({}, {}),
            ({"a": 1, "b": 2}, {"a": 1, "b": 2}),
            ({"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "c": 3}),
            ({"a": 1, "b": 2, "c": 3}, {"a": 5, "b": 5, "c": 5}),
        ],
    )
    def test_where_nothing_varies_it_is_not_defined(self, scores: dict[str, int], lengths: dict[str, int]) -> None:
        assert correlate_with_length(scores, lengths) is None

    @given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(1, 5), st.integers(1, 9)), min_size=3))
    def test_scipy_finds_the_same(self, items: dict[str, tuple[int, int]]) -> None:
        scores = {item: score for item, (score, _) in items.items()}
        lengths = {item: length for item, (_, length) in items.items()}
        found = correlate_with_length(scores, lengths)
        if found is None:
            assert 1 in (len(set(scores.values())), len(set(lengths.values())))
        else:
            assert found == pytest.approx(spearmanr(list(scores.values()), list(lengths.values())).statistic)


def test_items_that_were_read_only_once_tell_nothing() -> None:
    assert measure_position_consistency([({"a": 2, "b": 1, "c": 3}, {"b": 1, "a": 2, "d": 3})]) == 1
