from itertools import combinations, permutations

import pytest
from hypothesis import given, settings

from deliberation.aggregation.comparisons import Comparisons, compare
from deliberation.aggregation.kemeny import MAX_EXACT, Consensus, kemeny
from unit.deliberation.aggregation.elections import TENNESSEE, Ballots, any_ballots, elect, elect_orders


def test_tennessee() -> None:
    assert kemeny(elect_orders(TENNESSEE)) == Consensus((("N",), ("C",), ("K",), ("M",)))


def test_the_strongest_majorities_break_a_circle() -> None:
    """A over B 5-2, B over C 5-2, C over A 4-3: the weakest gives way."""
    assert kemeny(elect_orders({"ABC": 3, "BCA": 2, "CAB": 2})).groups == (("A",), ("B",), ("C",))


def contradict(order: tuple[str, ...], comparisons: Comparisons) -> int:
    place = {item: number for number, item in enumerate(comparisons.items)}
    return sum(comparisons.above[place[lower]][place[upper]] for upper, lower in combinations(order, 2))


def by_brute_force(comparisons: Comparisons) -> tuple[tuple[str, ...], ...]:
    """Return the finest ordered grouping that all optimal orders keep to, by trying every order."""
    orders = list(permutations(comparisons.items))
    least = min(contradict(order, comparisons) for order in orders)
    optimal = [order for order in orders if contradict(order, comparisons) == least]
    ends = [n for n in range(1, len(comparisons.items) + 1) if len({frozenset(order[:n]) for order in optimal}) == 1]
    return tuple(tuple(sorted(optimal[0][start:end])) for start, end in zip([0, *ends], ends, strict=False))


@settings(max_examples=60, deadline=None)
@given(any_ballots())
def test_it_is_what_all_optimal_orders_have_in_common(ballots: Ballots) -> None:
    result = elect(ballots)
    assert kemeny(result) == Consensus(by_brute_force(result))


def test_eight_items_in_a_knot() -> None:
    """Eight orders, each the former turned by one and with its ends swapped."""
    orders = ["".join("ABCDEFGH"[(start + step) % 8] for step in range(8)) for start in range(0, 8, 3)]
    result = elect_orders(dict.fromkeys([*orders, "HBCDEFGA"], 1))
    assert kemeny(result) == Consensus(by_brute_force(result))


def circle(size: int) -> Comparisons:
    """Return comparisons in which all that can be rotated is even, so that nothing comes first."""
    items = [f"item-{i:02}" for i in range(size)]
    turns = {f"judge-{t}": {item: (place + t) % size for place, item in enumerate(items)} for t in range(size)}
    return elect(turns)


def test_the_largest_knot_is_solved() -> None:
    result = circle(MAX_EXACT)
    assert kemeny(result) == Consensus((result.items,))


def test_a_larger_knot_stands_in_borda_s_order_and_that_is_told() -> None:
    result = circle(MAX_EXACT + 1)
    assert kemeny(result) == Consensus((result.items,), exact=False)


@pytest.mark.parametrize("size", [20, 64])
def test_any_number_of_items_is_solved_where_majorities_do_not_go_round(size: int) -> None:
    items = [f"item-{i:02}" for i in range(size)]
    ballot = {item: -place for place, item in enumerate(items)}
    result = compare(items[::-1], {"x": ballot, "y": ballot | {items[1]: 0}}, {"x": 1000, "y": 1000})
    assert kemeny(result) == Consensus((tuple(items[:1]), *((item,) for item in items[1:])))


def test_a_large_knot_stands_in_the_order_of_borda() -> None:
    """Each item beats the next seven of a circle; two judges more prefer items in the order of their names."""
    size = MAX_EXACT + 2
    items = [f"item-{place:02}" for place in range(size)]
    circle = {f"j{turn}": {items[(turn + n) % size]: -n for n in range(size)} for turn in range(size)}
    plain = {f"k{number}": {item: -place for place, item in enumerate(items)} for number in range(2)}
    scores = circle | plain
    result = kemeny(compare(items[::-1], scores, dict.fromkeys(scores, 1000)))
    assert result == Consensus(tuple((item,) for item in items), exact=False)


def test_names_do_not_decide_what_is_solved_exactly() -> None:
    items = [f"item-{place:02}" for place in range(MAX_EXACT + 2)]
    ranked = items[5:] + items[:5]
    ballot = {item: -place for place, item in enumerate(ranked)}
    assert kemeny(compare(items, {"x": ballot}, {"x": 1000})) == Consensus(tuple((item,) for item in ranked))
