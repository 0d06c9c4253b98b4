"""The Council: a standing group of agents and what they need to run."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from deliberation.api.v1alpha1.base import DnsLabel, ImageReference, Model, Rule, by_name, rules
from deliberation.api.v1alpha1.council_models import CouncilModel

MAX_SEATS = 64
"""Most seats of one Council, all members together."""

MAX_SEATED_INSTRUCTIONS = 131_072
"""Most bytes of UTF-8 in the instructions of all seats together: a task carries them once for each seat."""

PRESETS = "Developer, QA, Architect, DevOps, Data"

Instructions = Annotated[str, StringConstraints(min_length=1, max_length=8192)]


class RolePreset(StrEnum):
    """Roles whose instructions ship with the product."""

    DEVELOPER = "Developer"
    QA = "QA"
    ARCHITECT = "Architect"
    DEVOPS = "DevOps"
    DATA = "Data"


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
    adapter: Annotated[
        DnsLabel | None, Field(description="Name of one of the model's adapters; absent takes the model itself")
    ] = None
    instructions: Annotated[Instructions | None, Field(description="Added to the preset's instructions")] = None
    sampling: Sampling = Sampling()
    weight_milli: Annotated[
        int, Field(ge=1, le=1_000_000, description="Weight of each seat's vote and ballot, in thousandths")
    ] = 1000


MAX_WORKERS = 32
"""Most Ray workers of one runner."""


class Workers(Model):
    """Pods beside the head of the Ray cluster; on CPUs only, never on a GPU."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule("self.min <= self.max", "min is more than max: give at least as much for max", field="min")
        )
    )

    min: Annotated[
        int, Field(ge=0, le=MAX_WORKERS, description="Workers that are there even when no seat needs them")
    ] = 0
    max: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_WORKERS,
            description="Most workers. Above min, Ray starts them when seats find no room, and ends idle ones; "
            "0 has all seats on the head",
        ),
    ] = 0


class RunnerMode(StrEnum):
    """How long a RayJob whose actors are the seats lives."""

    WARM = "Warm"
    PER_DELIBERATION = "PerDeliberation"


class Runner(Model):
    """The RayJob whose actors are the seats."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.mode == 'Warm' || !self.dedicated",
                "dedicated is for a runner of mode Warm: with PerDeliberation nothing is shared; leave it out",
                field="dedicated",
            ),
            Rule(
                "self.mode == 'Warm' || self.idleSeconds == 0",
                "idleSeconds is for a runner of mode Warm: with PerDeliberation none is there between questions; "
                "leave it out",
                field="idleSeconds",
            ),
        )
    )

    mode: Annotated[
        RunnerMode,
        Field(
            description="Warm: one RayJob waits for questions and works on many; PerDeliberation: each Deliberation "
            "gets a RayJob of its own, which takes some 20 seconds to start and ends with it"
        ),
    ] = RunnerMode.WARM
    dedicated: Annotated[
        bool,
        Field(
            description="false: Councils of the namespace that declare the same runner share it; "
            "true: this Council has its own"
        ),
    ] = False
    max_concurrent_deliberations: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            description="Deliberations that are worked on at a time, by all who share the runner; others queue",
        ),
    ] = 8
    workers: Workers = Workers()
    idle_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=604_800,
            description="Time without a Deliberation after which the runner is put to sleep: it has no pods then, and "
            "the next Deliberation wakes it; 0 is never. Councils that share the runner must all allow it; "
            "not for Councils that Kueue has in a queue",
            json_schema_extra=rules(
                Rule("self == 0 || self >= 60", "idleSeconds must be 0, which is never, or at least 60")
            ),
        ),
    ] = 0
    image: Annotated[ImageReference | None, Field(description="Runner image; default is the operator's setting")] = None


class Limits(Model):
    """Bounds on what may be asked of a Council."""

    max_queued: Annotated[
        int,
        Field(
            ge=1, le=10_000, description="Most Deliberations that may wait; of those to come, the newest are refused"
        ),
    ] = 1000


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
                "self.members.all(m, !has(m.adapter) || self.models.exists(x, x.name == m.modelRef && has(x.vllm) && "
                "has(x.vllm.adapters) && x.vllm.adapters.exists(a, a.name == m.adapter)))",
                "adapter must name one of the adapters of the member's model: correct it or declare that one",
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
    limits: Limits = Limits()
    suspend: Annotated[
        bool, Field(description="true admits no Deliberation; those in work are finished, and its servers stay up")
    ] = False
