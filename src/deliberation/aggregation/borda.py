"""Borda's count: the share of all comparisons with others that an item wins."""

from fractions import Fraction

from deliberation.aggregation.comparisons import Comparisons

AVERAGE = Fraction(1, 2)
"""What stands for an item that nobody compared with another."""


def borda(comparisons: Comparisons) -> dict[str, Fraction]:
    """Return for each item the share of its comparisons, by the judges' weight, that it wins; a tie is half a win.

    With n items on every ballot that is Borda's points n-1, ..., 0 (Borda, 1781), divided by what unanimity for the
    item would give. As a share it stays fair where a judge leaves out its own proposal, for then items differ in the
    number of ballots that hold them.
    """
    above = comparisons.above
    return {
        item: _share(sum(above[place]), sum(row[place] for row in above))
        for place, item in enumerate(comparisons.items)
    }


def _share(won: int, lost: int) -> Fraction:
    return Fraction(won, won + lost) if won + lost else AVERAGE
