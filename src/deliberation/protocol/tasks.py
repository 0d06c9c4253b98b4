"""What a runner is asked: one attempt at one Deliberation, with the seats and the models that it needs."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from deliberation.api.v1alpha1.deliberation import Answer, ContextText, Criterion
from deliberation.api.v1alpha1.strategy import Aggregation, Judging, Stop, Topology
from deliberation.protocol.messages import Message


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
