"""What a runner tells of itself, and of the models that it reaches: on core NATS, kept nowhere."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from deliberation.protocol.messages import Message
from deliberation.protocol.tasks import ModelAddress


class Heartbeat(Message):
    """A runner lives. Core NATS, every few seconds; missing for 30 s means that it does not."""

    SILENT_AFTER_SECONDS: ClassVar[float] = 30.0

    version: Literal[1] = 1
    runner: str
    running: Annotated[int, Field(description="Deliberations in work")]
    seats: Annotated[dict[str, int], Field(description="Live seat actors by Council uid")]
    rejected: Annotated[dict[str, int], Field(description="Messages refused since start, by reason")] = Field(
        default_factory=dict
    )
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
