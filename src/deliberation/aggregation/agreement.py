"""How far the judges' rankings follow one order."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import combinations

from deliberation.aggregation.comparisons import AnyScore, Scores


def agree_pairwise(scores: Scores) -> Fraction | None:
    """Return how often two judges put two items in the same order, over all pairs of judges and pairs of items.

    Both seeing no difference is the same order; just one of them is half of it. 1 is full agreement, 0 that every two
    judges contradict each other; judges who judge by chance and without ties meet at 1/2. None when no two judges
    judged the same two items.
    """
    items = sorted({item for ranked in scores.values() for item in ranked})
    rows = [[ranked.get(item) for item in items] for ranked in scores.values()]
    same, meetings = 0, 0
    for one, other in combinations(zip(*rows, strict=True), 2):
        both = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
        first, second = sum(a > b for a, b in both), sum(a < b for a, b in both)
        tied = len(both) - first - second
        alike = sum(number * (number - 1) // 2 for number in (first, second, tied))
        same += 2 * alike + tied * (first + second)
        meetings += len(both) * (len(both) - 1) // 2
    return Fraction(same, 2 * meetings) if meetings else None


def agree_on_answers(voters: Iterable[int]) -> Fraction | None:
    """Return the chance that two voters, drawn without replacement, gave the same answer, from the voters of each.

    P = (sum n^2 - N) / (N (N - 1)), the agreement on one subject of Fleiss, Psychological Bulletin 76 (1971) 378. His
    kappa is not defined on one subject. None with fewer than two voters.
    """
    numbers = tuple(voters)
    total = sum(numbers)
    if total < _FEWEST_JUDGES:
        return None
    return Fraction(sum(number * number for number in numbers) - total, total * (total - 1))


def kendall_w(scores: Scores) -> Fraction | None:
    """Return Kendall's coefficient of concordance W of the rankings that `scores` (judge, then item) imply.

    W = S / S_max: S is the sum over the items of the square of their summed ranks, each rank taken from the middle of
    its ranking; S_max is what S is when all follow one order. 1 means that they do, 0 that the sums tell no item from
    another.

    - Every judge ranks all items: Kendall and Babington Smith (1939).
    - A judge who is an item leaves itself out, and all items are judges: Durbin's W of balanced incomplete rankings,
      British Journal of Psychology, Statistical Section 4 (1951) 85.
    - Some items are no judges: the same, with S_max found exactly.
    - Ties get the mean of their ranks, and S_max shrinks by the share of the rankings' variance that ties took away:
      Kendall's correction, where every judge ranks all items. Elsewhere it can overshoot, and W is kept at 1.

    None when it is not defined: fewer than two judges, nothing that two orders could differ in, nothing but ties, or a
    judge who left out another item than itself, or ranked itself.
    """
    items = {item for ranked in scores.values() for item in ranked}
    if any(ranked.keys() != items - {judge} for judge, ranked in scores.items()):
        return None
    ranks = [double_ranks(ranked) for ranked in scores.values()]
    sums = [sum(ranking.get(item, 0) for ranking in ranks) for item in items]
    untied = sum(_squares_without_ties(len(ranking)) for ranking in ranks)
    squares = sum(rank * rank for ranking in ranks for rank in ranking.values())
    judging_items = len(items & scores.keys())
    largest = _largest_sum_of_squares(len(scores), judging_items, len(items) - judging_items)
    if len(scores) < _FEWEST_JUDGES or not largest or not squares:
        return None
    return min(Fraction(1), Fraction(sum(total * total for total in sums) * untied, largest * squares))


_FEWEST_JUDGES = 2


def double_ranks(scores: Mapping[str, AnyScore]) -> dict[str, int]:
    """Return for each item how many it beats less how many beat it: twice its rank from the middle, ties shared."""
    ordered = sorted(scores.values())
    return {
        item: bisect_left(ordered, score) - (len(ordered) - bisect_right(ordered, score))
        for item, score in scores.items()
    }


def _squares_without_ties(length: int) -> int:
    """Return the sum of the squares of the doubled ranks -(n-1), -(n-3), ..., n-1."""
    return length * (length * length - 1) // 3


def _largest_sum_of_squares(judges: int, judging: int, others: int) -> int:
    """Return the greatest sum of squares of the items' summed doubled ranks that any rankings of this shape can give.

    It is reached when all follow one order: the sum is convex in each ranking, so a ranking that goes against the sums
    could still raise it. Two items meet in all rankings but those of the judges among them, so items that are `judging`
    are alike, and so are the `others`, and an order is a path through how many of both stand below. The best path is
    found by dynamic programming.
    """
    best: dict[tuple[int, int], int] = {(0, 0): 0}
    for below in range(judging + 1):
        for others_below in range(others + 1):
            so_far = best[below, others_below]
            lead = 2 * below - judging
            lead_of_others = 2 * others_below - others
            if below < judging:
                doubled = (judges - 2) * (lead + 1) + (judges - 1) * lead_of_others
                best[below + 1, others_below] = so_far + doubled * doubled
            if others_below < others:
                doubled = (judges - 1) * lead + judges * (lead_of_others + 1)
                place = below, others_below + 1
                best[place] = max(best.get(place, 0), so_far + doubled * doubled)
    return best[judging, others]
