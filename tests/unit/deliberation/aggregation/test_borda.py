from fractions import Fraction

from deliberation.aggregation.borda import borda
from deliberation.aggregation.comparisons import compare
from unit.deliberation.aggregation.elections import CYCLE, TENNESSEE, elect, elect_orders


def test_tennessee() -> None:
    """Of a hundred voters an item gets at most 300 points."""
    points = {item: share * 300 for item, share in borda(elect_orders(TENNESSEE)).items()}
    assert points == {"N": 194, "C": 173, "M": 126, "K": 107}


def test_a_circle_gives_each_half() -> None:
    assert set(borda(elect_orders(CYCLE)).values()) == {Fraction(1, 2)}


def test_an_item_on_fewer_ballots_is_not_worse_for_it() -> None:
    """Both judges that may judge it put A first; B, too, but for one place."""
    ballots = {"A": {"B": 5, "C": 1}, "B": {"A": 5, "C": 1}, "C": {"A": 5, "B": 4}}
    shares = borda(elect(ballots))
    assert shares == {"A": Fraction(1), "B": Fraction(1, 2), "C": Fraction(0)}


def test_what_nobody_compared_counts_as_average() -> None:
    assert borda(compare("ABC", {"x": {"A": 2, "B": 1}}, {"x": 1000})) == {
        "A": Fraction(1),
        "B": Fraction(0),
        "C": Fraction(1, 2),
    }
