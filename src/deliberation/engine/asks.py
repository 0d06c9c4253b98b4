"""What can be asked of a seat: each ask is about one entry, and so about one place in the ledger."""

from typing import NamedTuple

from deliberation.protocol.entries import Abstention, Ballot, Critique, Proposal, Stage, Synthesis

Contribution = Proposal | Critique | Ballot | Synthesis
"""An entry in which a seat says what it thinks."""


class Ask(NamedTuple):
    """One entry that one seat still owes.

    `turn` is the sample of a proposal, or the order of a ballot. `tries` tells the seat how often it has been asked,
    this time included.
    """

    stage: Stage
    seat: str
    round: int = 0
    turn: int = 0
    tries: int = 1

    @property
    def key(self) -> str:
        """Return the key of the entry that the ask is about."""
        match self.stage:
            case Stage.PROPOSE | Stage.EXCHANGE:
                return f"proposal.{self.round}.{self.seat}.{self.turn}"
            case Stage.CRITIQUE:
                return f"critique.{self.round}.{self.seat}"
            case Stage.JUDGE:
                return f"ballot.{self.round}.{self.seat}.{self.turn}"
            case _:
                return "synthesis"

    @property
    def abstention_key(self) -> str:
        """Return the key of the abstention that says why the entry will not come."""
        return f"abstention.{self.stage}.{self.round}.{self.seat}.{self.turn}"


def ask_of(entry: Contribution | Abstention) -> Ask:
    """Return the ask that the entry answers."""
    match entry.kind:
        case "proposal":
            stage = Stage.EXCHANGE if entry.round else Stage.PROPOSE
            return Ask(stage, entry.seat, entry.round, entry.sample)
        case "critique":
            return Ask(Stage.CRITIQUE, entry.seat, entry.round)
        case "ballot":
            return Ask(Stage.JUDGE, entry.judge, entry.round, entry.order)
        case "synthesis":
            return Ask(Stage.SYNTHESISE, entry.seat)
        case _:
            return Ask(entry.stage, entry.seat, entry.round, entry.turn)
