import math
from collections.abc import Sequence
from itertools import combinations
from random import Random

import choix
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberation.aggregation.bradley_terry import PRIOR, WHOLE_VOTE, bradley_terry
from deliberation.aggregation.comparisons import Comparisons

WINS = ((0, 7, 8), (3, 0, 6), (2, 4, 0))


def from_wins(wins: Sequence[Sequence[float]]) -> Comparisons:
    return Comparisons(
        tuple(f"item-{i:02}" for i in range(len(wins))),
        tuple(tuple(round(number * WHOLE_VOTE) for number in row) for row in wins),
    )


def test_the_most_likely_strengths() -> None:
    strengths = bradley_terry(from_wins(WINS), prior=1e-12)
    assert list(strengths.values()) == pytest.approx([0.740570, -0.149102, -0.591468], abs=5e-7)


def games(wins: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    size = len(wins)
    return [(i, j) for i in range(size) for j in range(size) for _ in range(wins[i][j])]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 6).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 9), min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_choix_finds_the_same(wins: list[list[int]]) -> None:
    """A prior of 1 win either way is one more game either way: choix, without regularisation, must agree."""
    size = len(wins)
    wins = [[number if i != j else 0 for j, number in enumerate(row)] for i, row in enumerate(wins)]
    with_prior = [[number + (i != j) for j, number in enumerate(row)] for i, row in enumerate(wins)]
    expected = choix.ilsr_pairwise(size, games(with_prior), alpha=0, max_iter=1000)
    assert list(bradley_terry(from_wins(wins), prior=1).values()) == pytest.approx(list(expected), abs=1e-5)


def test_a_small_prior_hardly_changes_ordinary_data() -> None:
    plain, regularised = (bradley_terry(from_wins(WINS), prior) for prior in (1e-12, PRIOR))
    assert regularised == pytest.approx(plain, abs=0.002)


@pytest.mark.parametrize("size", [2, 5, 20])
def test_separable_data_have_finite_strengths_in_order(size: int) -> None:
    strengths = bradley_terry(from_wins([[4 * (j > i) for j in range(size)] for i in range(size)]))
    values = list(strengths.values())
    assert values == sorted(values, reverse=True)
    assert all(math.isfinite(value) for value in values)
    assert math.fsum(values) == pytest.approx(0, abs=1e-5)


def test_one_win_of_two_items() -> None:
    """p / (1 - p) = (1 + prior) / prior."""
    high, low = bradley_terry(from_wins([[0, 1], [0, 0]])).values()
    assert high - low == pytest.approx(math.log(1.01 / 0.01))


def test_groups_that_never_met_are_level() -> None:
    strengths = bradley_terry(from_wins([[0, 3, 0, 0], [1, 0, 0, 0], [0, 0, 0, 3], [0, 0, 1, 0]]))
    a, b, c, d = strengths.values()
    assert (a, b) == (c, d)
    assert a > b


THETA = (1.5, 0.75, 0.0, -0.75, -1.5)


def simulate(random: Random, comparisons_per_pair: int) -> list[list[int]]:
    wins = [[0] * len(THETA) for _ in THETA]
    for i, j in combinations(range(len(THETA)), 2):
        for _ in range(comparisons_per_pair):
            chance = 1 / (1 + math.exp(THETA[j] - THETA[i]))
            winner, loser = (i, j) if random.random() < chance else (j, i)
            wins[winner][loser] += 1
    return wins


@pytest.mark.parametrize(
    ("comparisons_per_pair", "tau", "first"), [(3, 0.811, 0.767), (5, 0.894, 0.873), (10, 0.957, 0.933), (40, 1.0, 1.0)]
)
def test_strengths_are_recovered(comparisons_per_pair: int, tau: float, first: float) -> None:
    """Kendall's tau with the truth, and how often the best one is found, over 300 runs."""
    random = Random(8)  # noqa: S311 - a simulation, repeatable on purpose
    taus, firsts, runs = 0.0, 0.0, 300
    for _ in range(runs):
        found = list(bradley_terry(from_wins(simulate(random, comparisons_per_pair))).values())
        pairs = list(combinations(found, 2))
        taus += sum((better > worse) - (better < worse) for better, worse in pairs) / len(pairs)
        firsts += (found[0] == max(found)) / found.count(max(found))
    assert taus / runs == pytest.approx(tau, abs=0.05)
    assert firsts / runs == pytest.approx(first, abs=0.05)
