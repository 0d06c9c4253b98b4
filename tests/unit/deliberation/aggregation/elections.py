"""Elections as judges' scores: known ones from the literature, and any."""

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from deliberation.aggregation.comparisons import Comparisons, compare

Ballots = dict[str, dict[str, int]]

TENNESSEE = {"MNCK": 42, "NCKM": 26, "CKNM": 15, "KCNM": 17}
CYCLE = {"ABC": 1, "BCA": 1, "CAB": 1}
NAMES = "ABCDEFGH"


def ballots_of(voters: Mapping[str, int]) -> Ballots:
    """Return one ballot per voter; `voters` counts those of each order, best first."""
    orders = [order for order, number in voters.items() for _ in range(number)]
    return {
        f"judge-{number}": {item: -place for place, item in enumerate(order)} for number, order in enumerate(orders)
    }


def elect(ballots: Ballots, items: Sequence[str] = (), weights: Mapping[str, int] | None = None) -> Comparisons:
    """Return the comparisons; judges weigh 1000 and the items are all that anybody judged, unless told otherwise."""
    named = sorted({item for ranked in ballots.values() for item in ranked})
    return compare(items or named, ballots, weights or dict.fromkeys(ballots, 1000))


def elect_orders(voters: Mapping[str, int]) -> Comparisons:
    return elect(ballots_of(voters))


@st.composite
def any_ballots(draw: st.DrawFn, *, most_items: int = 6, itself: bool = True) -> Ballots:
    """Return scores of a panel; without `itself`, the judges are items and leave themselves out."""
    items = NAMES[: draw(st.integers(2, most_items))]
    judges = [f"judge-{i}" for i in range(draw(st.integers(1, 5)))] if itself else list(items)
    return {judge: {item: draw(st.integers(1, 5)) for item in items if item != judge} for judge in judges}


def rename(ballots: Ballots, names: Mapping[str, str]) -> Ballots:
    return {
        names.get(judge, judge): {names[item]: score for item, score in ranked.items()}
        for judge, ranked in reversed(ballots.items())
    }
