"""Bradley and Terry's model: strengths that explain who was put above whom how often."""

import math
from collections.abc import Sequence
from operator import mul

from deliberation.aggregation.comparisons import Comparisons

PRIOR = 0.01
"""Wins added to either side of every pair: without them an item that won all its comparisons would be infinitely
strong, and one that nobody compared would have no strength at all."""

WHOLE_VOTE = 2000
"""What one judge of weight 1 adds to a comparison: thousandths, doubled."""

EQUAL = 1e-6
"""Strengths that differ by less are equal: the rest is rounding."""

_PRECISION = 1e-10
_MAX_SWEEPS = 10_000


def bradley_terry(comparisons: Comparisons, prior: float = PRIOR) -> dict[str, float]:
    """Return the logarithm of each item's strength, 0 on average.

    The chance that item i is put above item j is p_i / (p_i + p_j) (Bradley and Terry, Biometrika 39 (1952) 324); the
    strengths are the most likely ones after `prior` wins were added to either side of every pair; a tie is half a win
    for both. Defined for any comparisons as long as `prior` is above 0; what is equal by symmetry comes out equal.
    """
    wins = [
        [0.0 if one == other else weight / WHOLE_VOTE + prior for other, weight in enumerate(row)]
        for one, row in enumerate(comparisons.above)
    ]
    return dict(zip(comparisons.items, _equalise(_find_most_likely(wins)), strict=True))


def _find_most_likely(wins: Sequence[Sequence[float]]) -> list[float]:
    """Return the logarithms of the most likely strengths, 0 on average.

    Newman's iteration (Journal of Machine Learning Research 24 (2023) 238): it has the fixed point of Zermelo's, and
    every step raises the likelihood too, but it needs a small part of the steps.
    """
    columns = tuple(zip(*wins, strict=True))
    strengths = [1.0] * len(wins)
    for _ in range(_MAX_SWEEPS if len(wins) > 1 else 0):
        before = list(strengths)
        for one, (won, lost) in enumerate(zip(wins, columns, strict=True)):
            inverse = [1 / (strengths[one] + rival) for rival in strengths]
            gains = sum(number * rival * over for number, rival, over in zip(won, strengths, inverse, strict=True))
            strengths[one] = gains / sum(map(mul, lost, inverse))
        if all(math.isclose(new, old, rel_tol=_PRECISION) for new, old in zip(strengths, before, strict=True)):
            break
    logarithms = [math.log(strength) for strength in strengths]
    mean = math.fsum(logarithms) / len(logarithms) if logarithms else 0.0
    return [logarithm - mean for logarithm in logarithms]


def _equalise(values: list[float]) -> list[float]:
    """Return the values with those that only rounding tells apart made equal to the lowest of them."""
    level, levels = -math.inf, {}
    for value in sorted(values):
        level = level if value - level < EQUAL else value
        levels[value] = level
    return [levels[value] for value in values]
