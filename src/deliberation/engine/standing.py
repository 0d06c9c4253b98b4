"""Where one run stands: what its ledger says, folded."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from deliberation.engine.asks import Ask, Contribution
from deliberation.engine.strategies import Leg
from deliberation.protocol.entries import Abstention, Ballot, Critique, Proposal, Start, Synthesis, Verdict


class Rejection(StrEnum):
    """Why a record changes nothing."""

    MALFORMED = "Malformed"
    """No entry of a known version, or one that says nothing usable: an impossible answer, an incomplete ballot."""
    MISPLACED = "Misplaced"
    """An entry filed under another key than its own."""
    FOREIGN = "Foreign"
    """Something that nobody was asked for: of another seat, round or order, too early, or about another proposal."""
    DUPLICATE = "Duplicate"
    """Its place was taken before: of everything that is written in answer to one ask, the first entry counts."""
    LATE = "Late"
    """Came after the verdict, or was not seen by whoever wrote it."""


class Wave(NamedTuple):
    """The asks of one stage and round, which go out together. `missing` are those that nothing has answered yet.

    `has_begun` says that seats may have been asked: a runner has said so, or an entry is there. `tries` counts how
    often the asks go out, this time included.
    """

    leg: Leg
    missing: tuple[Ask, ...]
    has_begun: bool = False
    tries: int = 1


class Standing(NamedTuple):
    """Where one run stands. One is made after every entry, which a tuple makes cheap.

    Mappings are in the order of the task's seats. `proposals` are those that stand now, by id: the latest valid one of
    each seat and sample; `rounds` holds all of them by the round in which they were written, round 0 first. `critiques`
    are by round and seat, `ballots` by judge and order, `abstentions` by what was asked. `starts` counts how often a
    runner began to ask. `spoiled` holds the keys whose place is taken by a record that does not count, so that nobody
    can fill it any more. `wave` is what is asked now: None when the run is over, or has only to be concluded.
    """

    started: Start | None = None
    starts: int = 0
    cancelled: bool = False
    suspended: bool = False
    proposals: Mapping[str, Proposal] = {}
    rounds: tuple[Mapping[str, Proposal], ...] = ()
    critiques: Mapping[tuple[int, str], Critique] = {}
    ballots: Mapping[tuple[str, int], Ballot] = {}
    synthesis: Synthesis | None = None
    abstentions: Mapping[Ask, Abstention] = {}
    verdict: Verdict | None = None
    rejected: Mapping[str, int] = {}
    spoiled: frozenset[str] = frozenset()
    wave: Wave | None = None

    @property
    def missing(self) -> tuple[Ask, ...]:
        """Return what the seats owe now."""
        return self.wave.missing if self.wave else ()

    def show(self) -> "Standing":
        """Return all that a seat reads, and nothing else: this much is sent to it."""
        return Standing(proposals=self.proposals, rounds=self.rounds, critiques=self.critiques, ballots=self.ballots)

    def stood_before(self, number: int) -> Mapping[str, Proposal]:
        """Return by id the proposals as they stood when the round began: what its seats read, whoever is quicker."""
        return {name: proposal for written in self.rounds[:number] for name, proposal in written.items()}

    def list_entries(self) -> Iterator[Contribution | Abstention]:
        """Yield everything that the seats have written and that counts."""
        for proposals in self.rounds:
            yield from proposals.values()
        yield from self.critiques.values()
        yield from self.ballots.values()
        if self.synthesis:
            yield self.synthesis
        yield from self.abstentions.values()

    def list_proposers(self) -> tuple[str, ...]:
        """Return the seats that have a proposal, in the order of the task."""
        return tuple(dict.fromkeys([proposal.seat for proposal in self.proposals.values()]))
