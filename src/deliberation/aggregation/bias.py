"""What sways judges besides merit: the place in the list, and length."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import combinations
from statistics import StatisticsError, correlation

from deliberation.aggregation.agreement import double_ranks
from deliberation.aggregation.comparisons import AnyScore

Ballot = Mapping[str, AnyScore]

FEWEST_LENGTHS = 3
"""Below this many items any two measures go together or against each other, by necessity."""


def measure_position_consistency(ballots: Iterable[tuple[Ballot, Ballot]]) -> Fraction | None:
    """Return how often a judge puts two items in the same order when it reads them in the other order.

    Each pair holds one judge's scores from its two readings. Seeing a difference in just one of them is half of the
    same order. None when no judge read two items twice.
    """
    same, pairs = 0, 0
    for first, second in ballots:
        for one, other in combinations(sorted(first.keys() & second.keys()), 2):
            same += 2 - abs(_sign(first[one], first[other]) - _sign(second[one], second[other]))
            pairs += 1
    return Fraction(same, 2 * pairs) if pairs else None


def _sign(one: AnyScore, other: AnyScore) -> int:
    return (one > other) - (one < other)


def correlate_with_length(scores: Ballot, lengths: Mapping[str, int]) -> float | None:
    """Return Spearman's rank correlation of score and length, from -1 to 1, ties sharing their ranks.

    A high one does not prove that length won: longer answers may be better. None with fewer than three items, or when
    all scores or all lengths are equal.
    """
    if len(scores) < FEWEST_LENGTHS:
        return None
    ranks, length_ranks = double_ranks(scores), double_ranks({item: lengths[item] for item in scores})
    try:
        return correlation([ranks[item] for item in scores], [length_ranks[item] for item in scores])
    except StatisticsError:
        return None
