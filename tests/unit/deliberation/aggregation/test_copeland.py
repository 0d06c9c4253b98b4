from fractions import Fraction

from deliberation.aggregation.copeland import copeland
from unit.deliberation.aggregation.elections import TENNESSEE, elect_orders


def test_tennessee() -> None:
    assert copeland(elect_orders(TENNESSEE)) == {"N": 3, "C": 2, "K": 1, "M": 0}


def test_an_even_split_is_half_a_win() -> None:
    assert copeland(elect_orders({"ABC": 1, "BAC": 1})) == {"A": Fraction(3, 2), "B": Fraction(3, 2), "C": 0}
