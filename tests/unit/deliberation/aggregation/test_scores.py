import math
from statistics import stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.aggregation.scores import UNSCORED, Estimate, estimate, is_ahead, order_key, standardise

SCORES = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 5).map(float), min_size=1)


class TestStandardise:
    def test_z_scores(self) -> None:
        assert standardise({"a": 1.0, "b": 2.0, "c": 3.0}) == pytest.approx(
            {"a": -math.sqrt(1.5), "b": 0.0, "c": math.sqrt(1.5)}
        )

    def test_of_two_scores_one_is_a_deviation_above_the_mean_however_close_they_are(self) -> None:
        assert standardise({"a": 3.1, "b": 3.0}) == pytest.approx({"a": 1.0, "b": -1.0})

    @pytest.mark.parametrize("scores", [{"a": 5.0}, {"a": 2.0, "b": 2.0}, {"a": 2.0, "b": 2.001}])
    def test_flat_scores_tell_nothing(self, scores: dict[str, float]) -> None:
        assert standardise(scores) == dict.fromkeys(scores, 0.0)

    def test_no_scores(self) -> None:
        assert standardise({}) == {}

    @given(SCORES, st.floats(-100, 100), st.floats(0.1, 10))
    def test_a_judge_s_own_scale_plays_no_part(self, scores: dict[str, float], shift: float, stretch: float) -> None:
        changed = standardise({item: shift + stretch * score for item, score in scores.items()})
        assert changed == pytest.approx(standardise(scores), abs=1e-6)

    @given(SCORES, st.data())
    def test_a_better_score_never_lowers_itself(self, scores: dict[str, float], data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(sorted(scores)))
        raised = scores | {item: scores[item] + data.draw(st.integers(1, 4))}
        assert standardise(raised)[item] >= standardise(scores)[item] - 1e-9

    def test_the_others_may_gain_more_by_it(self) -> None:
        """A judge who stretches its scale tells the others less apart: so the mean of z-scores is not monotone."""
        scores = {"a": 4.0, "b": 1.0, "c": 2.0, "d": 2.0}
        before, after = (standardise(given) for given in (scores, scores | {"a": 5.0}))
        assert after["a"] - before["a"] == pytest.approx(0.061, abs=5e-4)
        assert after["b"] - before["b"] == pytest.approx(0.147, abs=5e-4)

    @given(SCORES, st.data())
    def test_the_order_of_items_plays_no_part(self, scores: dict[str, float], data: st.DataObject) -> None:
        items = data.draw(st.permutations(list(scores.items())))
        assert standardise(dict(items)) == standardise(scores)


class TestEstimate:
    def test_equal_weights_give_the_standard_error_of_a_mean(self) -> None:
        values = [1.0, 4.0, 2.0, 8.0]
        told = estimate(values, [1000] * 4)
        assert told.mean == pytest.approx(3.75)
        assert told.stderr == pytest.approx(stdev(values) / 2)
        assert told.count == 4

    def test_weights(self) -> None:
        told = estimate([0.0, 3.0], [2000, 1000])
        assert told.mean == pytest.approx(1.0)
        assert told.stderr == pytest.approx(math.sqrt(2 * ((2 * 1) ** 2 + (1 * 2) ** 2)) / 3)

    @given(st.lists(st.floats(-3, 3), min_size=2, max_size=6), st.integers(1, 5))
    def test_the_unit_of_weights_plays_no_part(self, values: list[float], unit: int) -> None:
        weights = list(range(1, len(values) + 1))
        one, other = estimate(values, weights), estimate(values, [weight * unit for weight in weights])
        assert (one.mean, one.stderr) == pytest.approx((other.mean, other.stderr), abs=1e-9)

    def test_of_one_value_the_error_is_unknown(self) -> None:
        assert estimate([2.0], [5]) == Estimate(2.0, None, 1)

    def test_of_no_value_nothing_is_known(self) -> None:
        assert estimate([], []) == UNSCORED


class TestIsAhead:
    @pytest.mark.parametrize(
        ("better", "worse", "ahead"),
        [
            (Estimate(1.0, 0.3, 2), Estimate(0.5, 0.4, 2), True),
            (Estimate(0.99, 0.3, 2), Estimate(0.5, 0.4, 2), False),
            (Estimate(1.0, 0.0, 2), Estimate(1.0, 0.0, 2), False),
            (Estimate(1.0 + 1e-12, 0.0, 2), Estimate(1.0, 0.0, 2), False),
            (Estimate(1.0, None, 1), Estimate(0.9, 5.0, 2), True),
            (Estimate(1.0, 5.0, 2), UNSCORED, True),
            (UNSCORED, UNSCORED, False),
            (Estimate(0.5, 0.0, 2), Estimate(1.0, 0.0, 2), False),
        ],
    )
    def test_a_lead_of_a_standard_error_is_needed(self, better: Estimate, worse: Estimate, *, ahead: bool) -> None:
        assert is_ahead(better, worse) is ahead


def test_rounding_does_not_order() -> None:
    assert order_key(Estimate(0.1 + 0.2, None, 1)) == order_key(Estimate(0.3, None, 1))
    assert str(order_key(Estimate(-1e-12, None, 1))) == str(order_key(Estimate(1e-12, None, 1))) == "0.0"


def test_the_best_come_first_and_what_differs_by_rounding_alone_is_level() -> None:
    assert order_key(Estimate(mean=0.6, stderr=None, count=1)) == -0.6
    assert order_key(Estimate(mean=0.123_456_789_4, stderr=None, count=1)) == -0.123_456_789
    assert str(order_key(UNSCORED)) == "0.0"
