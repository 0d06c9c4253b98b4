"""Kemeny's rule: the order that contradicts the judges least, found exactly."""

from dataclasses import dataclass

from deliberation.aggregation.borda import borda
from deliberation.aggregation.comparisons import Comparisons
from deliberation.aggregation.copeland import copeland

MAX_EXACT = 15
"""Most items in one knot of majorities that all orders are weighed for: the work doubles with each more."""

Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Consensus:
    """The items in groups, best first; within a group the optimal orders contradict each other.

    `exact` is False when a group was too large to weigh all its orders and stands in Borda's order instead.
    """

    groups: tuple[tuple[str, ...], ...]
    exact: bool = True


def kemeny(comparisons: Comparisons) -> Consensus:
    """Return what all orders have in common that contradict the least weight of comparisons (Kemeny, 1959).

    Two items are in one group when an optimal order puts the one first and another optimal order the other, or when a
    chain of such pairs joins them.

    Where each item of one set beats each item of another by a majority, every optimal order puts the first set first
    (Truchon's extended Condorcet criterion, 1998). So the items fall into knots of majorities that go round in
    circles or are even, and each knot is solved by itself: exactly up to `MAX_EXACT` items, by dynamic programming
    over its subsets, and by Borda's count beyond.
    """
    groups: list[tuple[str, ...]] = []
    exact = True
    for knot in _find_knots(comparisons):
        if len(knot) > MAX_EXACT:
            exact = False
            groups.extend(_order_by_borda(_restrict(comparisons, knot)))
        else:
            part = _restrict(comparisons, knot)
            groups.extend(tuple(part.items[place] for place in group) for group in _solve(part.above))
    return Consensus(tuple(groups), exact)


def _find_knots(comparisons: Comparisons) -> list[list[int]]:
    """Return the smallest sets of items such that each of an earlier set beats each of a later one by a majority.

    An item that beats all of a later set has a higher Copeland score than any item of that set, so the sets are
    pieces of Copeland's order.
    """
    scores = copeland(comparisons)
    ordered = sorted(range(len(comparisons.items)), key=lambda place: -scores[comparisons.items[place]])
    knots: list[list[int]] = []
    start = 0
    for end in range(1, len(ordered) + 1):
        if all(comparisons.lead(ahead, behind) > 0 for ahead in ordered[start:end] for behind in ordered[end:]):
            knots.append(sorted(ordered[start:end]))
            start = end
    return knots


def _restrict(comparisons: Comparisons, places: list[int]) -> Comparisons:
    return Comparisons(
        tuple(comparisons.items[place] for place in places),
        tuple(tuple(comparisons.above[one][other] for other in places) for one in places),
    )


def _order_by_borda(comparisons: Comparisons) -> list[tuple[str, ...]]:
    shares = borda(comparisons)
    levels = sorted(set(shares.values()), reverse=True)
    return [tuple(item for item in comparisons.items if shares[item] == level) for level in levels]


def _solve(above: Matrix) -> list[list[int]]:
    """Return the places in groups, by following every optimal order from its first place to its last.

    `to_go[placed]` is the least weight that the rest of an order contradicts once the set `placed`, as bits, stands in
    front. Where all optimal orders have placed the same set, a group ends.
    """
    bits = [(place, 1 << place) for place in range(len(above))]
    everything = (1 << len(above)) - 1
    against = [_sum_over_subsets([row[place] for row in above]) for place, _ in bits]
    to_go = [0] * (everything + 1)
    for placed in range(everything - 1, -1, -1):
        left = everything ^ placed
        to_go[placed] = min(against[i][left ^ bit] + to_go[placed | bit] for i, bit in bits if left & bit)
    groups: list[list[int]] = []
    grouped, fronts = 0, {0}
    while fronts != {everything}:
        fronts = {
            placed | bit
            for placed in fronts
            for i, bit in bits
            if not placed & bit and against[i][everything ^ placed ^ bit] + to_go[placed | bit] == to_go[placed]
        }
        if len(fronts) == 1:
            [front] = fronts
            groups.append([i for i, bit in bits if front & bit and not grouped & bit])
            grouped = front
    return groups


def _sum_over_subsets(weights: list[int]) -> list[int]:
    """Return for every subset of the places, as bits, the sum of its weights."""
    sums = [0]
    for weight in weights:
        sums += [weight + smaller for smaller in sums]
    return sums
