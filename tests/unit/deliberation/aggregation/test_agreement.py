from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, permutations, product
from statistics import fmean

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deliberation.aggregation.agreement import agree_on_answers, agree_pairwise, kendall_w

Scores = dict[str, dict[str, int]]


def from_ranks(*rankings: Sequence[int]) -> Scores:
    """Return scores that imply the rankings: rank 1 is best."""
    return {
        f"judge-{number}": {f"item-{item}": -rank for item, rank in enumerate(ranking)}
        for number, ranking in enumerate(rankings)
    }


THREE = ([1, 2, 3, 4, 5], [2, 1, 3, 5, 4], [1, 3, 2, 4, 5])


@pytest.mark.parametrize(
    ("rankings", "expected"),
    [
        (([1, 2, 3], [1, 2, 3], [1, 2, 3]), Fraction(1)),
        (([1, 2, 3], [3, 2, 1]), Fraction(0)),
        (THREE, Fraction(38, 45)),
        (([1, 2, 3], [2, 3, 1], [3, 1, 2]), Fraction(0)),
    ],
)
def test_complete_rankings(rankings: tuple[list[int], ...], expected: Fraction) -> None:
    assert kendall_w(from_ranks(*rankings)) == expected


def test_the_mean_of_spearman_s_correlations_is_the_same_fact() -> None:
    def spearman(one: Sequence[int], other: Sequence[int]) -> float:
        size = len(one)
        distance = sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
        return 1 - 6 * distance / (size * (size**2 - 1))

    w = kendall_w(from_ranks(*THREE))
    assert w is not None
    mean = fmean(spearman(one, other) for one, other in combinations(THREE, 2))
    assert mean == pytest.approx(0.766667, abs=5e-7)
    assert float((3 * w - 1) / 2) == pytest.approx(mean)


def test_ties_are_corrected_for() -> None:
    """Kendall, Rank Correlation Methods (1948): W = 12 S / (m^2 (n^3 - n) - m sum(t^3 - t)), S from mean ranks."""
    scores = from_ranks([1, 2, 2, 4], [1, 2, 3, 4], [1, 1, 3, 3])
    ranks = ([1, 2.5, 2.5, 4], [1, 2, 3, 4], [1.5, 1.5, 3.5, 3.5])
    sums = [sum(column) for column in zip(*ranks, strict=True)]
    squares = sum((total - 7.5) ** 2 for total in sums)
    correction = 3 * ((2**3 - 2) + 2 * (2**3 - 2))
    w = kendall_w(scores)
    assert w is not None
    assert float(w) == pytest.approx(12 * squares / (9 * (4**3 - 4) - correction))


def leave_self_out(order_of: dict[str, Sequence[str]]) -> Scores:
    """Return each judge's scores from its order, best first, without the judge itself."""
    return {
        judge: {item: -place for place, item in enumerate(order) if item != judge} for judge, order in order_of.items()
    }


@pytest.mark.parametrize("size", [3, 4, 5, 8])
def test_judges_who_leave_themselves_out_and_follow_one_order_agree_fully(size: int) -> None:
    items = [f"seat-{i}" for i in range(size)]
    assert kendall_w(leave_self_out(dict.fromkeys(items, items))) == 1


def test_durbin_s_w_of_balanced_incomplete_rankings() -> None:
    """W = 12 S / (lambda^2 n (n^2 - 1)), lambda being how often two items meet: here n - 2."""
    orders = {"a": "bcde", "b": "aced", "c": "bade", "d": "abce", "e": "cbad"}
    sums = dict.fromkeys("abcde", 0.0)
    for order in orders.values():
        for place, item in enumerate(order):
            sums[item] += place - 1.5
    expected = 12 * sum(total**2 for total in sums.values()) / (3**2 * 5 * (5**2 - 1))
    w = kendall_w(leave_self_out({judge: list(order) for judge, order in orders.items()}))
    assert w is not None
    assert float(w) == pytest.approx(expected)
    assert 0 < expected < 1


def test_three_seats_agree_when_their_comparisons_form_an_order_and_not_in_a_circle() -> None:
    assert kendall_w({"a": {"b": 2, "c": 1}, "b": {"a": 2, "c": 1}, "c": {"a": 2, "b": 1}}) == 1
    assert kendall_w({"a": {"b": 2, "c": 1}, "b": {"c": 2, "a": 1}, "c": {"a": 2, "b": 1}}) == 0


def rankings_of(judges: Sequence[str], items: Sequence[str]) -> Iterator[Scores]:
    """Yield every way in which the judges can rank all items but themselves."""
    choices = [list(permutations(item for item in items if item != judge)) for judge in judges]
    for orders in product(*choices):
        yield leave_self_out(dict(zip(judges, orders, strict=True)))


@pytest.mark.parametrize(
    ("judges", "items"), [("ab", "abc"), ("ab", "abcd"), ("abc", "abcd"), ("abx", "abc"), ("xy", "abc"), ("ax", "abc")]
)
def test_w_is_the_share_of_the_greatest_sum_of_squares_that_any_rankings_give(judges: str, items: str) -> None:
    sums = [(scores, sum_of_squares(scores, items)) for scores in rankings_of(judges, items)]
    greatest = max(squares for _, squares in sums)
    for scores, squares in sums:
        assert kendall_w(scores) == squares / greatest


def sum_of_squares(scores: Scores, items: str) -> Fraction:
    """Return the sum over the items of the square of their summed ranks, counted from the middle of each ranking."""
    sums = dict.fromkeys(items, Fraction(0))
    for ranked in scores.values():
        for place, item in enumerate(sorted(ranked, key=lambda item: ranked[item])):
            sums[item] += Fraction(2 * place - len(ranked) + 1, 2)
    return Fraction(sum(total**2 for total in sums.values()))


@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"a": {"b": 1, "c": 2}},
        {"a": {"b": 1}, "b": {"a": 2}},
        {"x": {"a": 1}, "y": {"a": 2}},
        {"x": {"a": 1, "b": 1}, "y": {"a": 3, "b": 3}},
    ],
)
def test_where_nothing_can_be_compared_w_is_not_defined(scores: Scores) -> None:
    assert kendall_w(scores) is None


@pytest.mark.parametrize(
    "scores", [{"x": {"a": 1, "b": 2}, "y": {"a": 1}}, {"a": {"a": 1, "b": 2}, "b": {"a": 1}}, {"a": {}, "b": {"c": 1}}]
)
def test_of_judges_who_leave_out_another_or_rank_themselves_w_is_not_defined(scores: Scores) -> None:
    assert kendall_w(scores) is None


@st.composite
def panels(draw: st.DrawFn) -> Scores:
    """Return the scores of a panel in which some seats propose but do not judge."""
    items = [f"seat-{i}" for i in range(draw(st.integers(2, 6)))]
    judges = items[: draw(st.integers(1, len(items)))]
    return {judge: {item: draw(st.integers(1, 5)) for item in items if item != judge} for judge in judges}


@given(panels())
def test_w_lies_between_0_and_1(scores: Scores) -> None:
    w = kendall_w(scores)
    assert w is None or 0 <= w <= 1


def test_where_the_correction_for_ties_overshoots_agreement_is_full() -> None:
    assert kendall_w({"a": {"b": 0, "c": 0}, "b": {"a": 0, "c": 1}, "c": {"a": 0, "b": 1}}) == 1


@given(panels(), st.data())
def test_names_and_order_play_no_part(scores: Scores, data: st.DataObject) -> None:
    names = sorted({item for ranked in scores.values() for item in ranked} | scores.keys())
    assume(len(names) > 1)
    renamed = dict(zip(names, data.draw(st.permutations(names)), strict=True))
    judges = data.draw(st.permutations(list(scores)))
    other = {renamed[judge]: {renamed[item]: score for item, score in scores[judge].items()} for judge in judges}
    assert kendall_w(other) == kendall_w(scores)


class TestPairwise:
    @pytest.mark.parametrize(
        ("scores", "expected"),
        [
            (from_ranks([1, 2, 3], [1, 2, 3]), Fraction(1)),
            (from_ranks([1, 2, 3], [3, 2, 1]), Fraction(0)),
            (from_ranks([1, 2, 3], [1, 3, 2]), Fraction(2, 3)),
            (from_ranks([1, 2, 3], [1, 2, 2]), Fraction(5, 6)),
            (from_ranks([1, 1, 1], [2, 2, 2]), Fraction(1)),
            (from_ranks([1, 2, 3], [2, 3, 1], [3, 1, 2]), Fraction(1, 3)),
        ],
    )
    def test_it_is_how_often_two_judges_order_two_items_alike(self, scores: Scores, expected: Fraction) -> None:
        assert agree_pairwise(scores) == expected

    def test_it_follows_kendall_s_tau_where_nothing_is_tied(self) -> None:
        """Of two judges tau is twice the share of pairs in one order, less one; here 8 of 10, 9 of 10, 7 of 10."""
        assert agree_pairwise(from_ranks(*THREE)) == Fraction(8 + 9 + 7, 30)

    def test_judges_leave_themselves_out(self) -> None:
        assert agree_pairwise(leave_self_out(dict.fromkeys("abcd", "abcd"))) == 1

    @pytest.mark.parametrize("scores", [{}, {"x": {"a": 1, "b": 2}}, {"a": {"b": 1, "c": 2}, "b": {"a": 1, "c": 2}}])
    def test_without_two_judges_of_one_pair_it_is_not_defined(self, scores: Scores) -> None:
        assert agree_pairwise(scores) is None

    @given(panels())
    def test_it_is_the_mean_over_pairs_of_judges(self, scores: Scores) -> None:
        """Weighted by how many pairs of items both judged."""
        halves = meetings = 0
        for one, other in combinations(scores.values(), 2):
            for a, b in combinations(sorted(one.keys() & other.keys()), 2):
                signs = [(ranked[a] > ranked[b]) - (ranked[a] < ranked[b]) for ranked in (one, other)]
                halves += 2 - abs(signs[0] - signs[1])
                meetings += 1
        assert agree_pairwise(scores) == (Fraction(halves, 2 * meetings) if meetings else None)


@pytest.mark.parametrize(
    ("voters", "expected"),
    [((4, 1), Fraction(3, 5)), ((5,), Fraction(1)), ((1, 1, 1), Fraction(0)), ((1,), None), ((), None)],
)
def test_two_voters_meet_on_one_answer_by_this_chance(voters: tuple[int, ...], expected: Fraction | None) -> None:
    assert agree_on_answers(voters) == expected


def test_the_standard_example_of_fleiss_s_kappa() -> None:
    """Ten subjects, fourteen raters, five categories: kappa = (P - Pe) / (1 - Pe), P being the mean agreement."""
    table = [
        (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
        (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
    ]  # fmt: skip
    agreement = fmean(agree_on_answers(row) or 0 for row in table)
    by_chance = sum((sum(column) / 140) ** 2 for column in zip(*table, strict=True))
    assert (agreement - by_chance) / (1 - by_chance) == pytest.approx(0.20993, abs=5e-6)


def test_krippendorff_s_example_of_nominal_alpha() -> None:
    """Four voters on twelve subjects, some silent: alpha = 1 - D / De, D weighting each subject by its voters."""
    voters = (
        (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
        (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
        (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
        (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
    )
    subjects = [Counter(answer for answer in column if answer) for column in zip(*voters, strict=True)]
    heard = [(subject.total(), agree_on_answers(subject.values())) for subject in subjects]
    pairable = sum(number for number, agreement in heard if agreement is not None)
    differing = sum(number * (1 - agreement) for number, agreement in heard if agreement is not None) / pairable
    by_chance = agree_on_answers(sum((s for s in subjects if s.total() > 1), Counter()).values())
    assert by_chance is not None
    assert float(1 - differing / (1 - by_chance)) == pytest.approx(0.743, abs=5e-4)


def test_two_voters_are_the_fewest_that_can_agree() -> None:
    assert agree_on_answers([1]) is None
    assert agree_on_answers([1, 1]) == 0
    assert agree_on_answers([2]) == 1
