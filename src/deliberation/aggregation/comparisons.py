"""Proposals two by two: how many judges put one above the other. Every rule that goes by ranks starts from here."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter

AnyScore = Fraction | float | int

Scores = Mapping[str, Mapping[str, AnyScore]]
"""What each judge gave each item; higher is better, and an item that a judge does not name it did not judge."""


@dataclass(frozen=True)
class Comparisons:
    """How often each of `items` was put above each other one.

    `above[i][j]` is twice the weight of the judges who put item i above item j; one who sees no difference counts
    half for either side, hence the doubling. `partial` says that some pair was decided by judges with a stake in it.
    """

    items: tuple[str, ...]
    above: tuple[tuple[int, ...], ...]
    partial: bool = False

    def lead(self, one: int, other: int) -> int:
        """Return by how much the first of two items, given by their places, beats the second; negative if it loses."""
        return self.above[one][other] - self.above[other][one]


def compare(
    items: Sequence[str],
    scores: Scores,
    weights: Mapping[str, int],
    stakes: AbstractSet[tuple[str, str]] = frozenset(),
) -> Comparisons:
    """Return how the judges, each with its weight, order the items two by two.

    `stakes` names the judges and items that are akin. What a judge says on a pair of which just one is akin to it
    counts only where nobody else can decide. Items come out sorted: neither their order nor the judges' matters.
    """
    places = tuple(sorted(items))
    fair, partial = _zeros(len(places)), _zeros(len(places))
    for judge, ranked in scores.items():
        scored = [(place, ranked[item], (judge, item) in stakes) for place, item in enumerate(places) if item in ranked]
        _add(scored, weights[judge], fair, partial)
    is_partial = False
    for one in range(len(places)):
        for other in range(one):
            if not fair[one][other] + fair[other][one] and partial[one][other] + partial[other][one]:
                fair[one][other], fair[other][one] = partial[one][other], partial[other][one]
                is_partial = True
    return Comparisons(places, tuple(map(tuple, fair)), is_partial)


def _zeros(size: int) -> list[list[int]]:
    return [[0] * size for _ in range(size)]


def _add(
    scored: Sequence[tuple[int, AnyScore, bool]], weight: int, fair: list[list[int]], partial: list[list[int]]
) -> None:
    """Add one judge's comparisons, given as place, score and kinship: to `partial` where it has a stake in them."""
    for number, (one, score, is_akin) in enumerate(scored):
        for other, other_score, is_other_akin in scored[:number]:
            matrix = fair if is_akin == is_other_akin else partial
            if score > other_score:
                matrix[one][other] += 2 * weight
            elif score < other_score:
                matrix[other][one] += 2 * weight
            else:
                matrix[one][other] += weight
                matrix[other][one] += weight


def find_condorcet_winner(comparisons: Comparisons) -> str | None:
    """Return the item that beats every other one by a majority, or None when there is none, or no other."""
    size = len(comparisons.items)
    winners = (
        item
        for place, item in enumerate(comparisons.items)
        if all(comparisons.lead(place, other) > 0 for other in range(size) if other != place)
    )
    return next(winners, None) if size > 1 else None


def has_cycle(comparisons: Comparisons) -> bool:
    """Return whether majorities go round in a circle: a beats b, b beats c, and c beats a."""
    places = range(len(comparisons.items))
    beaten = {one: [other for other in places if comparisons.lead(one, other) > 0] for one in places}
    try:
        TopologicalSorter(beaten).prepare()
    except CycleError:
        return True
    return False


def count_pairwise_wins(comparisons: Comparisons) -> dict[str, int]:
    """Return for each item how many others it beats by a majority."""
    places = range(len(comparisons.items))
    return {
        item: sum(comparisons.lead(place, other) > 0 for other in places)
        for place, item in enumerate(comparisons.items)
    }
