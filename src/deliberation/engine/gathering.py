"""One wave of asks while its answers come in: what is still open, and how the run stands with what has come."""

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import TypeVar

from deliberation.engine.asks import Ask, Contribution
from deliberation.engine.standing import Standing
from deliberation.engine.strategies import Leg
from deliberation.protocol.entries import Abstention, Ballot, Critique, Proposal, Stage, Synthesis, name_proposal

_Name = TypeVar("_Name")
_Entry = TypeVar("_Entry")


class Gathering:
    """What one leg asks, given how the run stood `before` it. `open` holds, by key, what nothing has answered yet.

    Every answer has its place from the beginning, so whatever order they come in, they stand in that of the asks. What
    was said in earlier waves is never gone through again: an answer costs the same in the last round as in the first.
    """

    def __init__(self, leg: Leg, asks: tuple[Ask, ...], before: Standing, spoiled: Collection[str] = ()) -> None:
        self.leg = leg
        self.before = before
        self.open = {ask.key: ask for ask in asks if not spoiled or ask.abstention_key not in spoiled}
        self._asks = asks
        self._has_answers = False
        self._proposals: dict[str, Proposal | None] = {}
        self._names: list[str] = []
        self._critiques: dict[tuple[int, str], Critique | None] = {}
        self._ballots: dict[tuple[str, int], Ballot | None] = {}
        self._synthesis: Synthesis | None = None
        self._abstentions: dict[Ask, Abstention] = {}
        match leg.stage:
            case Stage.PROPOSE | Stage.EXCHANGE:
                self._proposals = dict.fromkeys(self.open)
                self._names = [name_proposal(ask.seat, ask.turn) for ask in self.open.values()]
            case Stage.CRITIQUE:
                self._critiques = dict.fromkeys([(ask.round, ask.seat) for ask in asks])
            case Stage.JUDGE:
                self._ballots = dict.fromkeys([(ask.seat, ask.turn) for ask in asks])

    @property
    def has_begun(self) -> bool:
        """Return whether seats may have been asked: some of the places are taken."""
        return len(self.open) < len(self._asks)

    def close(self, asked: str) -> None:
        """Wait no longer for the open ask of that key."""
        del self.open[asked]

    def take(self, asked: str, entry: Contribution | Abstention) -> None:
        """Put the answer to the open ask of that key into its place."""
        ask = self.open.pop(asked)
        self._has_answers = True
        match entry.kind:
            case "proposal":
                self._proposals[asked] = entry
            case "critique":
                self._critiques[entry.round, entry.seat] = entry
            case "ballot":
                self._ballots[entry.judge, entry.order] = entry
            case "synthesis":
                self._synthesis = entry
            case _:
                self._abstentions[ask] = entry

    def find_ask_of_abstention(self, key: str) -> Ask | None:
        """Return the open ask whose abstention lies there."""
        ask = self._asks_by_abstention.get(key)
        return ask if ask and ask.key in self.open else None

    def settle(self) -> Standing:
        """Return how the run stands with what has come so far."""
        before, leg = self.before, self.leg
        if not self._has_answers:
            return before
        abstentions = self._settle_abstentions()
        match leg.stage:
            case Stage.PROPOSE | Stage.EXCHANGE:
                written = _list_present(zip(self._names, self._proposals.values(), strict=True))
                rounds = before.rounds[: leg.round]
                skipped: tuple[Mapping[str, Proposal], ...] = ({},) * (leg.round - len(rounds))
                return before._replace(
                    proposals={**before.proposals, **written},
                    rounds=(*rounds, *skipped, written),
                    abstentions=abstentions,
                )
            case Stage.CRITIQUE:
                critiques = {**before.critiques, **_list_present(self._critiques.items())}
                return before._replace(critiques=critiques, abstentions=abstentions)
            case Stage.JUDGE:
                return before._replace(ballots=_list_present(self._ballots.items()), abstentions=abstentions)
            case _:
                return before._replace(synthesis=self._synthesis, abstentions=abstentions)

    def _settle_abstentions(self) -> Mapping[Ask, Abstention]:
        if not self._abstentions:
            return self.before.abstentions
        absent = {ask: self._abstentions[ask] for ask in self._asks if ask in self._abstentions}
        return {**self.before.abstentions, **absent}

    @cached_property
    def _asks_by_abstention(self) -> Mapping[str, Ask]:
        return {ask.abstention_key: ask for ask in self._asks}


def _list_present(places: Iterable[tuple[_Name, _Entry | None]]) -> dict[_Name, _Entry]:
    return {name: entry for name, entry in places if entry is not None}
