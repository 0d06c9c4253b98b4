"""Who reads what: the proposals that a seat is shown in a stage, under which labels and in which order.

Nobody is told who wrote what. Where the order could sway the reader, that is in judging, it is drawn for each judge
from the seed, and reversed for its second ballot. Elsewhere all read the same list, which a model server caches.
"""

from collections.abc import Mapping
from hashlib import sha256
from string import ascii_uppercase

from deliberation.api.v1alpha1.strategy import Topology
from deliberation.engine.asks import Ask
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Proposal, Stage
from deliberation.protocol.tasks import ResolvedStrategy, Task


def build_listing(task: Task, standing: Standing, ask: Ask) -> Mapping[str, Proposal]:
    """Return by label, A first, the proposals that the seat reads: its own among them, but never in judging.

    Raises:
        KeyError: the seat did not propose, so it is no judge.
    """
    match ask.stage:
        case Stage.JUDGE:
            return label_proposals(_draw_order(task, ask, tuple(list_judged(standing, ask.seat).values())))
        case Stage.EXCHANGE if task.strategy is ResolvedStrategy.DEBATE:
            read = {ask.seat, *find_peers(task, standing, ask.seat)}
            stood = standing.stood_before(ask.round).values()
            return label_proposals(tuple(proposal for proposal in stood if proposal.seat in read))
        case Stage.EXCHANGE | Stage.CRITIQUE:
            return label_proposals(tuple(standing.stood_before(ask.round).values()))
        case _:
            return label_proposals(tuple(standing.proposals.values()))


def list_judged(standing: Standing, judge: str) -> Mapping[str, Proposal]:
    """Return by id the proposals that a judge scores: all but its own.

    A model likes what it could have written itself, even without knowing who wrote it. Still, a judge reads its model's
    proposals, too: if each judged only those of others, no judge would ever say how two models compare, and a model
    with one seat would always be average. What it says in its model's cause is left out when ballots are counted
    (`judgement`).

    Raises:
        KeyError: the seat did not propose, so it is no judge.
    """
    others = {name: proposal for name, proposal in standing.proposals.items() if proposal.seat != judge}
    if len(others) == len(standing.proposals):
        raise KeyError(judge)
    return others


def identify_models(task: Task) -> dict[str, tuple[str, str | None]]:
    """Return for each seat the weights that it asks: name and revision, wherever they are served."""
    weights = {model.name: (model.model_name, model.revision) for model in task.models}
    return {seat.id: weights.get(seat.model, (seat.model, None)) for seat in task.seats}


def find_peers(task: Task, standing: Standing, seat: str) -> frozenset[str]:
    """Return the seats whose proposals a debater reads besides its own.

    Full: all others. Ring: the neighbours on both sides. Star: the first seat reads all, the others only the first.
    """
    seats = standing.list_proposers()
    place = seats.index(seat)
    match task.topology:
        case Topology.FULL:
            read = set(seats)
        case Topology.RING:
            read = {seats[place - 1], seats[(place + 1) % len(seats)]}
        case _:
            read = set(seats) if place == 0 else {seats[0]}
    return frozenset(read - {seat})


def _draw_order(task: Task, ask: Ask, proposals: tuple[Proposal, ...]) -> tuple[Proposal, ...]:
    """Return the proposals in an order of the judge's own, which the seed gives; reversed in its second ballot."""
    drawn = sorted(proposals, key=lambda proposal: sha256(f"{task.seed}/{ask.seat}/{proposal.id}".encode()).digest())
    return tuple(drawn[::-1] if ask.turn else drawn)


def label_proposals(proposals: tuple[Proposal, ...]) -> Mapping[str, Proposal]:
    """Return the proposals by label, in their order."""
    return {_name_label(place): proposal for place, proposal in enumerate(proposals)}


def _name_label(place: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    above, letter = divmod(place, len(ascii_uppercase))
    return (_name_label(above - 1) if above else "") + ascii_uppercase[letter]
