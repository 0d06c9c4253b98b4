"""Messages and their versions: unknown fields are kept, unknown versions refused, so that peers may differ."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from deliberation.api.v1alpha1.deliberation import Answer, ContextText, Criterion
from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.api.v1alpha1.strategy import Aggregation, Judging, Stop, Topology


class Message(BaseModel):
    """Base of every message: camelCase on the wire, immutable, unknown fields kept."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True)

    def encode(self) -> bytes:
        """Return the bytes on the wire: compact JSON with sorted keys, so equal messages are equal bytes."""
        body = self.model_dump(by_alias=True, exclude_none=True)
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


AnyMessage = TypeVar("AnyMessage", bound=Message)


class MalformedMessageError(ValueError):
    """Bytes that are no message of a version that this code knows."""


class ModelAddress(Message):
    """Where a seat finds its model. Carries the place of the key, never the key."""

    name: str
    base_url: str
    model_name: str
    api_key_file: Annotated[str | None, Field(description="Path below the runner's Secret mount: <secret>/<key>")] = (
        None
    )
    ca_bundle_file: Annotated[
        str | None, Field(description="Path below the runner's certificates: <ConfigMap>/<key>")
    ] = None
    replicas_url: Annotated[
        str | None, Field(description="Base URL with a name that stands for every replica; absent where there is one")
    ] = None
    tells_load: Annotated[
        bool, Field(description="A server of ours: its /metrics tell how many calls it works on, and keeps waiting")
    ] = False
    revision: str | None = None
    simulated: bool = False


class SeatTask(Message):
    """One agent: who it is and how it answers."""

    id: Annotated[str, Field(description="<member>-<index>, one subject token")]
    member: str
    role: str
    model: Annotated[str, Field(description="Name of one of the task's models")]
    instructions: str = ""
    temperature_milli: int = 700
    top_p_milli: int = 950
    max_tokens: int = 1024
    weight_milli: int = 1000


class ResolvedStrategy(StrEnum):
    """A strategy that the engine runs; Auto has been resolved to one of these."""

    VOTE = "Vote"
    PANEL = "Panel"
    CRITIQUE = "Critique"
    DEBATE = "Debate"
    MIXTURE_OF_AGENTS = "MixtureOfAgents"


class Stage(StrEnum):
    """What the seats are doing. Aggregation follows judging; it is computed, so it is no stage of its own here."""

    PROPOSE = "propose"
    CRITIQUE = "critique"
    EXCHANGE = "exchange"
    JUDGE = "judge"
    SYNTHESISE = "synthesise"


class Task(Message):
    """One attempt at one Deliberation, self-contained: the runner asks nobody else what to do."""

    version: Literal[1] = 1
    namespace: str
    deliberation_uid: str
    deliberation_name: str
    attempt: int = 1
    resumed: Annotated[int, Field(ge=0, description="How often the run was suspended, and taken up again")] = 0
    own_runner: Annotated[
        str | None, Field(description="Runner that takes this task and no other; absent where the Council keeps one")
    ] = None
    council_uid: str
    council_name: str
    question: str
    context: tuple[ContextText, ...] = ()
    requirements: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...]
    answer: Answer = Answer()
    strategy: ResolvedStrategy
    rounds: Annotated[int, Field(ge=1, description="Exchanges; of a MixtureOfAgents: layers after the first")] = 1
    topology: Annotated[Topology, Field(description="Debate: whose answers a seat reads")] = Topology.FULL
    keep_if_majority: Annotated[
        bool, Field(description="Debate: who agrees with the absolute majority keeps its answer and is not asked")
    ] = True
    samples: Annotated[int, Field(ge=1, description="Proposals of each seat")] = 1
    aggregation: Aggregation = Aggregation.SCORE_MEAN
    stop: Annotated[Stop, Field(description="When to stop asking before everybody has answered")] = Stop.NONE
    orders: Annotated[int, Field(ge=1, le=2, description="Ballots of each judge; the second reads in reverse")] = 1
    judging: Annotated[Judging, Field(description="How judges give their scores")] = Judging.BALLOTS
    synthesiser: Annotated[str | None, Field(description="Seat that writes the result from the best proposals")] = None
    budget_tokens: Annotated[int | None, Field(ge=1, description="Most tokens, read and written, of the run")] = None
    seats: Annotated[tuple[SeatTask, ...], Field(min_length=1, max_length=64)]
    models: Annotated[tuple[ModelAddress, ...], Field(min_length=1)]
    quorum: Annotated[int, Field(ge=1)]
    top_k: int = 5
    seed: int = 42
    started_at_ms: Annotated[int, Field(description="Admission, in milliseconds since the epoch")]
    timeout_ms: Annotated[int, Field(description="Time for the run, counted from its admission")]

    @property
    def deadline_ms(self) -> int:
        """Return when the run must have ended, in milliseconds since the epoch."""
        return self.started_at_ms + self.timeout_ms


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
        raise MalformedMessageError(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    """Return where and why validation failed, without the content: that is text of users and models."""
    faults = error.errors(include_input=False, include_context=False, include_url=False)
    return "; ".join(f"{'.'.join(str(part) for part in fault['loc'])}: {fault['type']}" for fault in faults[:5])


@dataclass(frozen=True)
class LedgerRecord:
    """One message of the ledger stream as it was read: `entry` is absent when the message is malformed."""

    sequence: int
    key: str
    entry: LedgerEntry | None


class Heartbeat(Message):
    """A runner lives. Core NATS, every few seconds; missing for 30 s means that it does not."""

    SILENT_AFTER_SECONDS: ClassVar[float] = 30.0

    version: Literal[1] = 1
    runner: str
    running: Annotated[int, Field(description="Deliberations in work")]
    seats: Annotated[dict[str, int], Field(description="Live seat actors by Council uid")]
    rejected: Annotated[dict[str, int], Field(description="Messages refused since start, by reason")] = {}
    strained: Annotated[
        tuple[str, ...],
        Field(description="uids of Councils with a model that keeps calls waiting: more would only wait there"),
    ] = ()


class ProbeRequest(Message):
    """The operator asks a runner whether it can reach these models: the runner stands where the seats will stand."""

    version: Literal[1] = 1
    models: tuple[ModelAddress, ...]


class ProbeResult(Message):
    """What became of one model's probe; no reason means that it answers and serves the model."""

    name: str
    reason: Annotated[str | None, Field(description="A `Reason`: SecretMissing, EndpointUnreachable, ...")] = None
    message: str = ""


class ProbeReply(Message):
    """The answer to a ProbeRequest, in its order."""

    version: Literal[1] = 1
    results: tuple[ProbeResult, ...]


def decode(kind: type[AnyMessage], data: bytes) -> AnyMessage:
    """Return the message of the given kind.

    Raises:
        MalformedMessageError: `data` is no such message of a known version.
    """
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise MalformedMessageError(_explain(error)) from None
