"""How a judge sees the proposals: under labels, in one of two orders, so that no place in the list is always first."""

from collections.abc import Mapping
from string import ascii_uppercase

from deliberation.engine.standing import Standing
from deliberation.protocol.messages import Proposal


def build_listing(standing: Standing, judge: str) -> Mapping[str, Proposal]:
    """Return all proposals by label, A first, in the order in which the judge reads them.

    Every other judge reads them in reverse: a judge's liking for the first place then cancels out over the panel, and
    half of the panel shares each order, which a model server's prefix cache needs.

    Raises:
        KeyError: the seat did not propose, so it is no judge.
    """
    judges = tuple(standing.proposals)
    if judge not in standing.proposals:
        raise KeyError(judge)
    seats = judges if judges.index(judge) % 2 == 0 else judges[::-1]
    return {_label(place): standing.proposals[seat] for place, seat in enumerate(seats)}


def _label(place: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    above, letter = divmod(place, len(ascii_uppercase))
    return (_label(above - 1) if above else "") + ascii_uppercase[letter]
