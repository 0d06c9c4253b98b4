"""The Council: a standing group of agents and what they need to run."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from deliberation.api.v1alpha1.base import (
    Conditions,
    DataKey,
    DnsLabel,
    Model,
    ObjectName,
    Rule,
    StatusModel,
    by_name,
    rules,
)

MAX_SEATS = 64
"""Most seats of one Council, all members together."""

MAX_SEATED_INSTRUCTIONS = 131_072
"""Most bytes of UTF-8 in the instructions of all seats together: a task carries them once for each seat."""

PRESETS = "Developer, QA, Architect, DevOps, Data"

Instructions = Annotated[str, StringConstraints(min_length=1, max_length=8192)]
ImageReference = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class RolePreset(StrEnum):
    """Roles whose instructions ship with the product."""

    DEVELOPER = "Developer"
    QA = "QA"
    ARCHITECT = "Architect"
    DEVOPS = "DevOps"
    DATA = "Data"


class KeyReference(Model):
    """One key of a Secret or ConfigMap in the Council's namespace."""

    name: Annotated[ObjectName, Field(description="Name of the Secret or ConfigMap")]
    key: Annotated[DataKey, Field(description="Key of its data")]


class HubWeights(Model):
    """Weights that the model server downloads from a hub when it starts."""

    token_secret_ref: Annotated[KeyReference | None, Field(description="Secret that holds the hub's access token")] = (
        None
    )
    cache_claim_name: Annotated[
        ObjectName | None, Field(description="PersistentVolumeClaim that keeps downloads across restarts")
    ] = None


class VolumeWeights(Model):
    """Weights that lie on a volume already."""

    claim_name: Annotated[
        ObjectName, Field(description="PersistentVolumeClaim that holds the weights; mounted read-only")
    ]
    path: Annotated[
        str,
        StringConstraints(min_length=1, max_length=512),
        Field(
            description="Folder of the model inside the volume, relative",
            json_schema_extra=rules(
                Rule(
                    "!self.startsWith('/') && !self.split('/').exists(part, part == '..')",
                    "path must be relative to the volume's root and must not leave it: no leading / and no ..",
                )
            ),
        ),
    ]


class Weights(Model):
    """Where a model server finds its weights: at most one source; none means the hub without a token or cache."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!(has(self.hub) && has(self.persistentVolumeClaim))",
                "weights come from one source: give at most one of hub and persistentVolumeClaim",
            ),
        )
    )

    hub: HubWeights | None = None
    persistent_volume_claim: VolumeWeights | None = None


class Gpu(Model):
    """One unit of a GPU resource, as the node's device plugin offers it."""

    resource_name: Annotated[
        str,
        StringConstraints(max_length=128, pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$"),
        Field(description="Extended resource to ask for, such as nvidia.com/gpu or nvidia.com/gpu.shared"),
    ] = "nvidia.com/gpu"
    memory_utilization_percent: Annotated[
        int,
        Field(ge=5, le=95, description="Share of the GPU's memory that the server may use; lower it on a shared GPU"),
    ] = 90


class VllmModel(Model):
    """A vLLM server that the operator runs as a Deployment."""

    model: Annotated[
        str,
        StringConstraints(min_length=1, max_length=256),
        Field(description="Hub id of the model, or its display name when weights come from a volume"),
    ]
    revision: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=128),
        Field(description="Revision of the weights to pin, recorded in each result"),
    ] = None
    image: Annotated[
        ImageReference | None, Field(description="Server image; default is the operator's setting for CPU or GPU")
    ] = None
    max_model_len: Annotated[
        int, Field(ge=256, le=1_048_576, description="Longest prompt and answer together, in tokens")
    ] = 4096
    weights: Weights = Weights()
    gpu: Annotated[Gpu | None, Field(description="Ask for one GPU unit; absent runs on CPU")] = None


class EndpointModel(Model):
    """An OpenAI-compatible server that somebody else runs."""

    url: Annotated[
        str,
        StringConstraints(min_length=1, max_length=512),
        Field(
            description="Base URL up to and including the version, such as https://llm.example.com/v1",
            json_schema_extra=rules(
                Rule(
                    r"self.matches('^https?://[^\\s?#]+$')",
                    "url must begin with http:// or https:// and hold no query: give the base URL, "
                    "such as https://llm.example.com/v1",
                ),
                Rule(
                    "!self.matches('^https?://[^/]*@')",
                    "url must hold no user or password: put the key into a Secret and name it in apiKeySecretRef",
                ),
            ),
        ),
    ]
    model_name: Annotated[
        str, StringConstraints(min_length=1, max_length=256), Field(description="Name of the model at that server")
    ]
    api_key_secret_ref: Annotated[KeyReference | None, Field(description="Secret that holds the API key")] = None


class SimulatedModel(Model):
    """A model server that only pretends: for tests and demonstrations, and marked so in every status it touches."""

    accuracy_percent: Annotated[
        int, Field(ge=0, le=100, description="How often a seat answers a closed question rightly")
    ] = 70
    latency_milliseconds: Annotated[int, Field(ge=0, le=600_000, description="Time each call takes")] = 50
    failure_percent: Annotated[
        int, Field(ge=0, le=100, description="How often a call answers with HTTP status 500")
    ] = 0
    malformed_percent: Annotated[
        int, Field(ge=0, le=100, description="How often an answer ignores the requested format")
    ] = 0
    seed: Annotated[
        int, Field(ge=0, le=2_147_483_647, description="Servers with the same seed give the same answers")
    ] = 1


class CouncilModel(Model):
    """One model that members can refer to."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "[has(self.vllm), has(self.endpoint), has(self.simulated)].filter(x, x).size() == 1",
                "a model needs exactly one source: give one of vllm, endpoint and simulated",
            ),
        )
    )

    name: Annotated[DnsLabel, Field(description="What members call it")]
    dedicated: Annotated[
        bool,
        Field(
            description="false: Councils of the namespace that declare the same server share it; "
            "true: this Council has its own"
        ),
    ] = False
    vllm: VllmModel | None = None
    endpoint: EndpointModel | None = None
    simulated: SimulatedModel | None = None


class Sampling(Model):
    """How a member's proposals are sampled."""

    temperature_milli: Annotated[
        int, Field(ge=0, le=2000, description="Temperature in thousandths: higher gives more varied answers")
    ] = 700
    top_p_milli: Annotated[
        int, Field(ge=1, le=1000, description="Share of the likeliest tokens to choose from, in thousandths")
    ] = 950
    max_tokens: Annotated[int, Field(ge=1, le=32_768, description="Most tokens of one answer")] = 1024


class Member(Model):
    """One role of the Council, with as many seats as it has agents."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.role in ['Developer', 'QA', 'Architect', 'DevOps', 'Data'] || has(self.instructions)",
                f"role is not a preset ({PRESETS}): use one of these or give the member instructions",
                field="role",
            ),
        )
    )

    name: Annotated[DnsLabel, Field(description="Begins the names of the member's seats")]
    role: Annotated[
        str,
        StringConstraints(min_length=1, max_length=63, pattern=r"^[A-Za-z][A-Za-z0-9 -]*$"),
        Field(description=f"A preset ({PRESETS}), or any other name with instructions"),
    ]
    seats: Annotated[int, Field(ge=1, le=MAX_SEATS, description="Number of agents of this role")] = 1
    model_ref: Annotated[DnsLabel, Field(description="Name of one of spec.models")]
    instructions: Annotated[Instructions | None, Field(description="Added to the preset's instructions")] = None
    sampling: Sampling = Sampling()
    weight_milli: Annotated[
        int, Field(ge=1, le=1_000_000, description="Weight of each seat's vote and ballot, in thousandths")
    ] = 1000


class Runner(Model):
    """The warm RayJob whose actors are the seats."""

    dedicated: Annotated[
        bool,
        Field(
            description="false: Councils of the namespace that declare the same runner share it; "
            "true: this Council has its own"
        ),
    ] = False
    max_concurrent_deliberations: Annotated[
        int, Field(ge=1, le=256, description="Deliberations that the runner works on at a time; others queue")
    ] = 8
    image: Annotated[ImageReference | None, Field(description="Runner image; default is the operator's setting")] = None


class CouncilSpec(Model):
    """What a user asks for."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.members.all(m, self.models.exists(x, x.name == m.modelRef))",
                "every modelRef must name one of spec.models: correct it or declare the model",
                field="members",
            ),
            Rule(
                f"self.members.map(m, m.seats).sum() <= {MAX_SEATS}",
                f"a Council has at most {MAX_SEATS} seats, all members together: ask for fewer",
                field="members",
            ),
            Rule(
                "self.members.map(m, has(m.instructions) ? m.seats * bytes(m.instructions).size() : 0).sum()"
                f" <= {MAX_SEATED_INSTRUCTIONS}",
                f"instructions, counted once for each seat, may have at most {MAX_SEATED_INSTRUCTIONS} bytes of UTF-8, "
                "all members together: shorten them or ask for fewer seats",
                field="members",
            ),
        )
    )

    models: Annotated[
        tuple[CouncilModel, ...],
        Field(min_length=1, max_length=8, json_schema_extra=by_name(), description="Models that members refer to"),
    ]
    members: Annotated[
        tuple[Member, ...],
        Field(min_length=1, max_length=16, json_schema_extra=by_name(), description="Roles, each with its seats"),
    ]
    runner: Runner = Runner()


class ModelStatus(StatusModel):
    """What is known of one model."""

    name: Annotated[str, Field(max_length=63)]
    """Name of the model in the spec"""
    ready: bool
    """true if it answers"""
    simulated: bool = False
    """true if it only pretends"""
    endpoint: Annotated[str, Field(max_length=512)] = ""
    """Base URL of its server"""
    model_name: Annotated[str, Field(max_length=256)] = ""
    """Name of the model at that server"""
    revision: Annotated[str | None, Field(max_length=128)] = None
    """Revision of the weights, if pinned"""
    deployment: Annotated[str | None, Field(max_length=63)] = None
    """Deployment that serves it, absent for an endpoint"""
    message: Annotated[str | None, Field(max_length=1024)] = None
    """What it waits for, or what is wrong"""


class MemberStatus(StatusModel):
    """What is known of one member."""

    name: Annotated[str, Field(max_length=63)]
    """Name of the member in the spec"""
    seats: int
    """Seats asked for"""
    ready_seats: int
    """Seats that can answer now"""


class RunnerStatus(StatusModel):
    """What is known of the runner."""

    ray_job: Annotated[str, Field(max_length=63)]
    """RayJob that runs the seats"""
    ray_cluster: Annotated[str | None, Field(max_length=63)] = None
    """RayCluster that KubeRay made for it"""
    phase: Annotated[str, Field(max_length=63)] = "Unknown"
    """KubeRay's word for where the RayJob is"""


class QueueStatus(StatusModel):
    """Deliberations of this Council, by where they are."""

    queued: int = 0
    """Deliberations that wait"""
    running: int = 0
    """Deliberations in work"""
    finished: int = 0
    """Deliberations at their end"""


class CouncilStatus(StatusModel):
    """What the operator reports."""

    observed_generation: int = -1
    """Generation of the spec that this status is about; -1 before the operator has seen it"""
    conditions: Conditions = ()
    """What is so and what is not; Ready is the one to wait for"""
    models: Annotated[tuple[ModelStatus, ...], Field(max_length=8, json_schema_extra=by_name())] = ()
    """The models, as they are"""
    model_count: Annotated[str, Field(max_length=16)] = ""
    """Ready models of all, for people"""
    members: Annotated[tuple[MemberStatus, ...], Field(max_length=16, json_schema_extra=by_name())] = ()
    """The members, as they are"""
    seat_count: Annotated[str, Field(max_length=16)] = ""
    """Ready seats of all, for people"""
    simulated: bool = False
    """true if any model of the Council only pretends"""
    runner: RunnerStatus | None = None
    """The runner, as it is"""
    queue: QueueStatus = QueueStatus()
    """Deliberations of this Council, by where they are"""
