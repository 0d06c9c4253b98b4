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
    fair, whole = _zeros(len(places)), _zeros(len(places))
    for judge, ranked in scores.items():
        row = [ranked.get(item) for item in places]
        akin = [(judge, item) in stakes for item in places]
        _add(row, weights[judge], akin, fair, whole)
    partial = False
    for one in range(len(places)):
        for other in range(one):
            if not fair[one][other] + fair[other][one] and whole[one][other] + whole[other][one]:
                fair[one][other], fair[other][one] = whole[one][other], whole[other][one]
                partial = True
    return Comparisons(places, tuple(map(tuple, fair)), partial)


def _zeros(size: int) -> list[list[int]]:
    return [[0] * size for _ in range(size)]


def _add(
    row: Sequence[AnyScore | None], weight: int, akin: Sequence[bool], fair: list[list[int]], whole: list[list[int]]
) -> None:
    """Add one judge's comparisons to `whole` and, where the judge has no stake in them, to `fair`."""
    scored = [(place, score) for place, score in enumerate(row) if score is not None]
    for number, (one, score) in enumerate(scored):
        for other, other_score in scored[:number]:
            half = weight if score == other_score else 0
            won, lost = (half, half) if half else ((2 * weight, 0) if score > other_score else (0, 2 * weight))
            for matrix in (whole,) if akin[one] != akin[other] else (whole, fair):
                matrix[one][other] += won
                matrix[other][one] += lost


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
