"""The exact values of the jury theorem and its relatives: every outcome is counted, none is sampled."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from deliberation.aggregation.plurality import (
    Cluster,
    Vote,
    count_first_places,
    count_votes,
    find_confidence,
    has_unassailable_lead,
    is_decided,
    is_probably_decided,
)
from deliberation.api.v1alpha1.deliberation import Answer, AnswerType

OPTIONS = ("right", "wrong", "worse", "worst")
CHOICE = Answer(type=AnswerType.CHOICE, choices=OPTIONS)
NUMBER = Answer(type=AnswerType.NUMBER, tolerance_milli=1000)


def count(answers: Sequence[str], weights: Sequence[int] = (), answer: Answer = CHOICE) -> tuple[Cluster, ...]:
    given_weights = weights or [1000] * len(answers)
    votes = (Vote(f"s-{i}", text, given_weights[i]) for i, text in enumerate(answers))
    return count_votes(votes, answer)


def share_of_right(answers: Sequence[str], weights: Sequence[int] = ()) -> float:
    """Return the chance that a fair choice among the tied winners is the right answer."""
    clusters = count(answers, weights)
    winners = [c.answer for c in clusters if c.weight_milli == clusters[0].weight_milli]
    return winners.count("right") / len(winners)


def jury(size: int, competence: float) -> float:
    """Return how often the majority of independent jurors is right, by the number of those who are."""
    return sum(
        math.comb(size, right)
        * competence**right
        * (1 - competence) ** (size - right)
        * share_of_right(["right"] * right + ["wrong"] * (size - right))
        for right in range(size + 1)
    )


@pytest.mark.parametrize(
    ("competence", "expected"),
    [
        (0.6, (0.64800, 0.68256, 0.71021, 0.73343)),
        (0.7, (0.78400, 0.83692, 0.87396, 0.90119)),
        (0.8, (0.89600, 0.94208, 0.96666, 0.98042)),
    ],
)
def test_condorcet_s_jury(competence: float, expected: tuple[float, ...]) -> None:
    assert [jury(size, competence) for size in (3, 5, 7, 9)] == pytest.approx(expected, abs=5e-6)


def test_an_even_jury_is_as_good_as_one_less() -> None:
    assert jury(4, 0.7) == pytest.approx(0.784)
    assert jury(6, 0.6) == pytest.approx(jury(5, 0.6))


def test_a_jury_worse_than_chance_gets_worse_with_its_size() -> None:
    values = [jury(size, 0.4) for size in (1, 3, 5, 7, 9)]
    assert values == sorted(values, reverse=True)


def plurality(size: int, competence: float) -> float:
    """Return how often the right one of four options wins when errors are spread evenly over the other three."""
    return sum(
        math.factorial(size)
        / math.prod(math.factorial(number) for number in counts)
        * competence ** counts[0]
        * ((1 - competence) / 3) ** (size - counts[0])
        * share_of_right([option for option, number in zip(OPTIONS, counts, strict=True) for _ in range(number)])
        for counts in product(range(size + 1), repeat=4)
        if sum(counts) == size
    )


@pytest.mark.parametrize(
    ("competence", "expected"),
    [(0.4, (0.4000, 0.4480, 0.5094, 0.5586, 0.5986)), (0.3, (0.3000, 0.3140, 0.3346, 0.3501, 0.3638))],
)
def test_plurality_among_four(competence: float, expected: tuple[float, ...]) -> None:
    assert [plurality(size, competence) for size in (1, 3, 5, 7, 9)] == pytest.approx(expected, abs=5e-5)


def chances_of_right(size: int, competence: float, correlation: float) -> list[float]:
    """Return how likely each number of right jurors is when competence varies together, by a beta distribution."""
    a = competence * (1 - correlation) / correlation
    b = (1 - competence) * (1 - correlation) / correlation

    def integral(x: float, y: float) -> float:
        return math.gamma(x) * math.gamma(y) / math.gamma(x + y)

    return [
        math.comb(size, right) * integral(a + right, b + size - right) / integral(a, b) for right in range(size + 1)
    ]


def correlated_jury(size: int, competence: float, correlation: float) -> float:
    """Return how often the majority is right."""
    return sum(
        chance * share_of_right(["right"] * right + ["wrong"] * (size - right))
        for right, chance in enumerate(chances_of_right(size, competence, correlation))
    )


@pytest.mark.parametrize(
    ("correlation", "expected"),
    [(0.3, (0.7317, 0.7443, 0.7552)), (0.1, (0.7619, 0.7940, 0.8274)), (0.5, (0.7140, 0.7186, 0.7223))],
)
def test_correlated_jurors_are_worth_fewer(correlation: float, expected: tuple[float, ...]) -> None:
    assert [correlated_jury(size, 0.7, correlation) for size in (3, 5, 9)] == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("size", "worth"), [(3, 1.88), (5, 2.27), (9, 2.65)])
def test_the_share_of_correlated_votes_varies_as_that_of_fewer(size: int, worth: float) -> None:
    """By n = N / (1 + (N - 1) rho), with rho = .3: so many independent votes have the variance p (1 - p) / n."""

    def share(right: int) -> float:
        clusters = count(["right"] * right + ["wrong"] * (size - right))
        weights = {cluster.answer: cluster.weight_milli for cluster in clusters}
        return weights.get("right", 0) / sum(weights.values())

    chances = chances_of_right(size, 0.7, 0.3)
    mean = sum(chance * share(right) for right, chance in enumerate(chances))
    variance = sum(chance * (share(right) - mean) ** 2 for right, chance in enumerate(chances))
    assert mean == pytest.approx(0.7)
    assert 0.7 * 0.3 / variance == pytest.approx(worth, abs=0.0051)
    assert 0.7 * 0.3 / variance == pytest.approx(size / (1 + (size - 1) * 0.3))


def weighted_jury(competences: Sequence[float], weights: Sequence[int]) -> float:
    return sum(
        math.prod(p if right else 1 - p for p, right in zip(competences, outcome, strict=True))
        * share_of_right(["right" if right else "wrong" for right in outcome], weights)
        for outcome in product((True, False), repeat=len(competences))
    )


@pytest.mark.parametrize(
    ("competences", "equal", "weighted"),
    [((0.9, 0.6, 0.6, 0.6, 0.6), 0.78624, 0.90000), ((0.85, 0.75, 0.65, 0.6, 0.55), 0.81614, 0.86413)],
)
def test_weights_by_log_odds_are_at_least_as_good_as_equal_ones(
    competences: tuple[float, ...], equal: float, weighted: float
) -> None:
    assert weighted_jury(competences, [1000] * 5) == pytest.approx(equal, abs=5e-6)
    assert weighted_jury(competences, log_odds(competences)) == pytest.approx(weighted, abs=5e-6)


def log_odds(competences: Sequence[float]) -> list[int]:
    """Return the weights, in thousandths, that make a vote the best guess."""
    return [round(1000 * math.log(p / (1 - p))) for p in competences]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.51, 0.99), min_size=1, max_size=5))
def test_no_jury_is_better_without_such_weights(competences: list[float]) -> None:
    """Nitzan and Paroush, International Economic Review 23 (1982) 289. Weights are rounded to thousandths, so outcomes
    whose odds are within five halves of one may be taken for each other."""
    weighted, equal = (weighted_jury(competences, weights) for weights in (log_odds(competences), [1000] * 5))
    assert weighted >= equal - 0.0025


def test_the_tennessee_election() -> None:
    cities = Answer(type=AnswerType.CHOICE, choices=("Memphis", "Nashville", "Chattanooga", "Knoxville"))
    first_places = {"Memphis": 42, "Nashville": 26, "Knoxville": 17, "Chattanooga": 15}
    ballots = [city for city, number in first_places.items() for _ in range(number)]
    assert {c.answer: len(c.seats) for c in count(ballots, answer=cities)} == first_places
    assert [c.answer for c in count(ballots, answer=cities)] == list(first_places)


class TestOrder:
    def test_of_equals_the_answer_that_cost_fewer_tokens_comes_first_then_the_seat_decides(self) -> None:
        votes = [Vote("b", "wrong", 1000, 7), Vote("c", "right", 1000, 5), Vote("a", "worse", 1000, 7)]
        assert [c.answer for c in count_votes(votes, CHOICE)] == ["right", "worse", "wrong"]

    def test_free_texts_are_one_answer_whatever_their_case_and_white_space(self) -> None:
        [cluster] = count(["go  left", "Go left", "GO LEFT\n"], answer=Answer())
        assert cluster == Cluster("go  left", ("s-0", "s-1", "s-2"), 3000)

    def test_choices_that_differ_in_case_are_two(self) -> None:
        choices = Answer(type=AnswerType.CHOICE, choices=("us", "US"))
        assert [c.answer for c in count(["US", "us", "US"], answer=choices)] == ["US", "us"]


class TestNumbers:
    @pytest.mark.parametrize(
        ("numbers", "clusters"),
        [
            (["1", "2", "2.9", "3"], [("2.9", 3), ("1", 1)]),
            (["1", "2", "3"], [("1", 2), ("3", 1)]),
            (["10", "11", "20"], [("10", 2), ("20", 1)]),
            (["0.1", "1.1", "1.2"], [("0.1", 2), ("1.2", 1)]),
            (["-1", "0", "1", "5"], [("-1", 2), ("1", 1), ("5", 1)]),
        ],
    )
    def test_the_largest_group_within_the_tolerance_is_one_answer(
        self, numbers: list[str], clusters: list[tuple[str, int]]
    ) -> None:
        assert [(c.answer, len(c.seats)) for c in count(numbers, answer=NUMBER)] == clusters

    def test_the_seats_that_gave_the_shown_number_come_first(self) -> None:
        [cluster] = count(["3", "2.5", "2"], answer=NUMBER)
        assert cluster == Cluster("2.5", ("s-1", "s-0", "s-2"), 3000)

    def test_without_a_tolerance_only_equal_numbers_are_one_answer(self) -> None:
        exact = Answer(type=AnswerType.NUMBER)
        assert [(c.answer, len(c.seats)) for c in count(["2", "2.001", "2"], answer=exact)] == [("2", 2), ("2.001", 1)]


def votes_of(draw: st.DrawFn, answers: st.SearchStrategy[str]) -> Iterator[Vote]:
    for number in range(draw(st.integers(0, 7))):
        yield Vote(f"s-{number}", draw(answers), draw(st.integers(1, 3)) * 1000, draw(st.integers(0, 2)))


@st.composite
def elections(draw: st.DrawFn) -> tuple[list[Vote], Answer]:
    answer = draw(st.sampled_from([CHOICE, NUMBER, Answer()]))
    texts = st.sampled_from(["1", "2", "2.5", "3.25"]) if answer is NUMBER else st.sampled_from(OPTIONS)
    return list(votes_of(draw, texts)), answer


@given(elections(), st.data())
def test_the_order_of_votes_plays_no_part_and_none_is_lost(
    election: tuple[list[Vote], Answer], data: st.DataObject
) -> None:
    votes, answer = election
    clusters = count_votes(votes, answer)
    assert count_votes(data.draw(st.permutations(votes)), answer) == clusters
    assert sorted(seat for cluster in clusters for seat in cluster.seats) == sorted(vote.seat for vote in votes)
    assert sum(cluster.weight_milli for cluster in clusters) == sum(vote.weight_milli for vote in votes)
    assert [c.weight_milli for c in clusters] == sorted((c.weight_milli for c in clusters), reverse=True)


class TestEarlyStop:
    """A count may stop when the lead can't be overtaken: with the winner of the full count, whatever was to come."""

    @pytest.mark.parametrize(("options", "size"), [(2, 5), (3, 5), (3, 7)])
    def test_every_sequence_of_votes_keeps_its_winner(self, options: int, size: int) -> None:
        stopped = 0
        for answers in product(OPTIONS[:options], repeat=size):
            votes = [Vote(f"s-{i}", text, 1000) for i, text in enumerate(answers)]
            calls = find_stop(votes)
            stopped += calls < size
            if calls < size:
                early, full = count_votes(votes[:calls], CHOICE), count_votes(votes, CHOICE)
                assert early[0].answer == full[0].answer
                assert full[0].weight_milli > (full[1].weight_milli if len(full) > 1 else 0)
        assert stopped

    @pytest.mark.parametrize(
        ("size", "expected"), [(5, (4.066, 3.895, 3.634, 3.319)), (9, (7.354, 6.859, 6.204, 5.554))]
    )
    def test_it_saves_calls(self, size: int, expected: tuple[float, ...]) -> None:
        """The expected number of calls, over all sequences of a jury of independent jurors."""
        outcomes = [
            (sum(outcome), find_stop([Vote(f"s-{i}", OPTIONS[not right], 1000) for i, right in enumerate(outcome)]))
            for outcome in product((True, False), repeat=size)
        ]
        for competence, calls in zip((0.6, 0.7, 0.8, 0.9), expected, strict=True):
            mean = sum(competence**right * (1 - competence) ** (size - right) * number for right, number in outcomes)
            assert mean == pytest.approx(calls, abs=5e-4)

    @pytest.mark.parametrize(
        ("weights", "outstanding", "expected"),
        [([], 0, False), ([1], 0, True), ([2, 1], 1, False), ([3, 1], 1, True), ([1, 3], 1, True), ([2], 2, False)],
    )
    def test_the_lead_must_be_more_than_what_is_outstanding(
        self, weights: list[int], outstanding: int, *, expected: bool
    ) -> None:
        assert has_unassailable_lead(weights, outstanding) is expected

    def test_numbers_with_a_tolerance_are_not_decided_early(self) -> None:
        votes = [Vote(f"s-{i}", "2", 1000) for i in range(4)]
        assert is_decided(votes, 1000, Answer(type=AnswerType.NUMBER))
        assert not is_decided(votes, 1000, NUMBER)


def find_stop(votes: list[Vote]) -> int:
    """Return after how many votes the count may stop."""
    left = ((n, sum(vote.weight_milli for vote in votes[n:])) for n in range(1, len(votes) + 1))
    return next((n for n, outstanding in left if is_decided(votes[:n], outstanding, CHOICE)), len(votes))


def vote_for(numbers: Sequence[int], answer: Answer = CHOICE, weight_milli: int = 1000) -> bool:
    """Return whether so many votes for each option are enough to be sure of the first."""
    given_answers = [option for option, number in zip(OPTIONS, numbers, strict=False) for _ in range(number)]
    votes = [Vote(f"s-{i}", text, weight_milli) for i, text in enumerate(given_answers)]
    return is_probably_decided(votes, answer)


class TestBetaStop:
    """A count may stop when its lead is hardly one of chance: 1 - I(v1 + 1, v2 + 1) at one half is .95 or more."""

    @pytest.mark.parametrize(
        ("numbers", "confidence", "decided"),
        [
            ((3,), 0.9375, False),
            ((4,), 0.9688, True),
            ((6, 1), 0.965, True),
            ((7, 2), 0.945, False),
            ((2, 6), 0.9102, False),
            ((1, 6), 0.9648, True),
            ((4, 1, 1), 0.8906, False),
            ((6, 1, 1), 0.9648, True),
        ],
    )
    def test_the_confidence_in_the_lead(self, numbers: tuple[int, ...], confidence: float, *, decided: bool) -> None:
        first, second = (*sorted(numbers, reverse=True), 0)[:2]
        assert float(find_confidence(first, second)) == pytest.approx(confidence, abs=5e-4)
        assert vote_for(numbers) is decided

    @given(st.integers(0, 40), st.integers(0, 40))
    def test_scipy_s_beta_distribution_says_the_same(self, first: int, second: int) -> None:
        assert float(find_confidence(first, second)) == pytest.approx(beta.sf(0.5, first + 1, second + 1))

    def test_two_answers_of_the_same_number_are_a_matter_of_chance(self) -> None:
        assert find_confidence(3, 3) == find_confidence(0, 0) == Fraction(1, 2)

    def test_fewer_than_four_votes_never_suffice(self) -> None:
        assert not any(vote_for(numbers) for numbers in product(range(4), repeat=3) if sum(numbers) < 4)

    def test_a_heavy_vote_is_still_one_draw(self) -> None:
        assert not vote_for((3,), weight_milli=9000)

    def test_numbers_with_a_tolerance_are_never_sure(self) -> None:
        votes = [Vote(f"s-{i}", "2", 1000) for i in range(9)]
        assert is_probably_decided(votes, Answer(type=AnswerType.NUMBER))
        assert not is_probably_decided(votes, NUMBER)


class TestFirstPlaces:
    def test_judges_count_by_weight_and_share_their_place_out(self) -> None:
        scores = {"x": {"a": 5, "b": 5, "c": 1}, "y": {"a": 2, "b": 1}, "z": {"c": 3}}
        assert count_first_places(scores, {"x": 1000, "y": 500, "z": 700}) == {
            "a": Fraction(1000),
            "b": Fraction(500),
            "c": Fraction(700),
        }

    def test_an_empty_ballot_puts_nobody_first(self) -> None:
        assert count_first_places({"x": {}}, {"x": 1000}) == {}
