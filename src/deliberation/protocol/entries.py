"""What a ledger holds: everything that the seats gave, and how the run began, was stopped and ended."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol.messages import MalformedMessageError, Message


class Stage(StrEnum):
    """What the seats are doing. Aggregation follows judging; it is computed, so it is no stage of its own here."""

    PROPOSE = "propose"
    CRITIQUE = "critique"
    EXCHANGE = "exchange"
    JUDGE = "judge"
    SYNTHESISE = "synthesise"


class Usage(Message):
    """What the model server counted for one entry, all tries together."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    repeated_calls: Annotated[
        int,
        Field(
            description="Calls that may have been made before, by a driver or an actor that was lost with the answer"
        ),
    ] = 0


def _numbered(kind: str, number: int) -> str:
    """Return the key of one of several entries of a kind; the first one's is the kind alone."""
    return f"{kind}.{number}" if number else kind


class Entry(Message):
    """Base of everything that a ledger holds.

    The `key` of an entry is its place in its run: the tail of its subject. Two entries of one place cannot both exist.
    """

    version: Literal[1] = 1


class Start(Entry):
    """A runner asks for everything that is open now. The first one says that the task was taken up.

    One stands before each wave of calls, and one more for every driver that had to ask again: so the ledger knows which
    calls were in flight when a driver was lost.
    """

    kind: Literal["start"] = "start"
    number: int = 0
    runner: str
    at_ms: int

    @property
    def key(self) -> str:
        """Return the entry's place in its run."""
        return _numbered("start", self.number)


def name_proposal(seat: str, sample: int) -> str:
    """Return the id of a proposal: its seat, and the sample unless it is the first."""
    return f"{seat}.{sample}" if sample else seat


class Proposal(Entry):
    """What one seat answers."""

    kind: Literal["proposal"] = "proposal"
    seat: str
    round: int = 0
    sample: int = 0
    answer: str
    rationale: str = ""
    cut_off: Annotated[bool, Field(description="The text met the token limit: it meant to say more")] = False
    usage: Usage = Usage()

    @property
    def key(self) -> str:
        """Return the entry's place in its run."""
        return f"proposal.{self.round}.{self.seat}.{self.sample}"

    @property
    def id(self) -> str:
        """Return what scores and status call the proposal."""
        return name_proposal(self.seat, self.sample)


class Critique(Entry):
    """What one seat finds wrong in the others' proposals."""

    kind: Literal["critique"] = "critique"
    seat: str
    round: int
    texts: Annotated[dict[str, str], Field(description="By id of the proposal")]
    usage: Usage = Usage()

    @property
    def key(self) -> str:
        """Return the entry's place in its run."""
        return f"critique.{self.round}.{self.seat}"


class Score(Message):
    """One judge's scores of one proposal, by criterion, from 1 to 5."""

    proposal: Annotated[str, Field(description="Id of the proposal")]
    criteria: dict[str, Annotated[int, Field(ge=1, le=5)]]


class Ballot(Entry):
    """What one judge makes of the others' proposals."""

    kind: Literal["ballot"] = "ballot"
    judge: str
    round: int = 0
    order: Annotated[int, Field(description="1: the judge read the proposals in reverse")] = 0
    scores: tuple[Score, ...]
    rationale: str = ""
    decided: Annotated[
        bool | None, Field(description="True: read off the next token by a decisions endpoint, so there are no reasons")
    ] = None
    usage: Usage = Usage()

    @property
    def key(self) -> str:
        """Return the entry's place in its run."""
        return f"ballot.{self.round}.{self.judge}.{self.order}"


class Synthesis(Entry):
    """What one seat makes of the best proposals."""

    kind: Literal["synthesis"] = "synthesis"
    seat: str
    answer: str
    rationale: str = ""
    cut_off: bool = False
    usage: Usage = Usage()

    @property
    def key(self) -> str:
        """Return the entry's place in its run."""
        return "synthesis"


class Abstention(Entry):
    """A seat gave nothing usable in one place of the ledger."""

    kind: Literal["abstention"] = "abstention"
    seat: str
    stage: Stage
    round: int = 0
    turn: Annotated[int, Field(description="Sample of the proposal, or order of the ballot, that will not come")] = 0
    reason: AbstentionReason
    message: Annotated[str, Field(description="For people: never model text, never a secret")] = ""
    usage: Usage = Usage()

    @property
    def key(self) -> str:
        """Return the entry's place in its run."""
        return f"abstention.{self.stage}.{self.round}.{self.seat}.{self.turn}"


class Cancel(Entry):
    """The user wants no more of it."""

    kind: Literal["cancel"] = "cancel"

    @property
    def key(self) -> str:
        """Return the entry's place in its run."""
        return "cancel"


class Suspend(Entry):
    """The user wants no more of it for now: it goes on with a task that was resumed once more."""

    kind: Literal["suspend"] = "suspend"
    number: Annotated[int, Field(ge=0, description="`resumed` of the task that this stops")] = 0

    @property
    def key(self) -> str:
        """Return the entry's place in its run."""
        return _numbered("suspend", self.number)


class Outcome(StrEnum):
    """How a run ended."""

    SUCCEEDED = "Succeeded"
    NO_QUORUM = "NoQuorum"
    NO_BALLOTS = "NoBallots"
    NO_SYNTHESIS = "NoSynthesis"
    BUDGET_EXHAUSTED = "BudgetExhausted"
    TIMED_OUT = "TimedOut"
    CANCELLED = "Cancelled"


class Verdict(Entry):
    """The end of a run. Whoever writes it first decides: it names the entries that count, whatever arrives later."""

    kind: Literal["verdict"] = "verdict"
    number: Annotated[int, Field(description="Above 0 when what stands in the places before it is no verdict")] = 0
    outcome: Outcome
    counted: Annotated[tuple[str, ...], Field(description="Keys of the entries that count")]
    decided_at_ms: int

    @property
    def key(self) -> str:
        """Return the entry's place in its run."""
        return _numbered("verdict", self.number)


LedgerEntry = Start | Proposal | Critique | Ballot | Synthesis | Abstention | Cancel | Suspend | Verdict

_ENTRY: TypeAdapter[LedgerEntry] = TypeAdapter(Annotated[LedgerEntry, Field(discriminator="kind")])


def decode_entry(data: bytes) -> LedgerEntry:
    """Return the entry that `data` holds.

    Raises:
        MalformedMessageError: no entry of a known version.
    """
    try:
        return _ENTRY.validate_json(data)
    except ValidationError as error:
        raise MalformedMessageError.of(error) from None


@dataclass(frozen=True)
class LedgerRecord:
    """One message of the ledger stream as it was read: `entry` is absent when the message is malformed."""

    sequence: int
    key: str
    entry: LedgerEntry | None
