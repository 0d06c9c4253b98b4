"""Copeland's rule: how many others an item beats by a majority."""

from fractions import Fraction

from deliberation.aggregation.comparisons import Comparisons


def copeland(comparisons: Comparisons) -> dict[str, Fraction]:
    """Return for each item the number of others that it beats by a majority, an even split counting half.

    Copeland (1951). It finds the Condorcet winner wherever there is one, but leaves many ties.
    """
    places = range(len(comparisons.items))
    return {
        item: sum((_result(comparisons.lead(place, other)) for other in places if other != place), Fraction(0))
        for place, item in enumerate(comparisons.items)
    }


def _result(lead: int) -> Fraction:
    return Fraction((lead > 0) - (lead < 0) + 1, 2)
