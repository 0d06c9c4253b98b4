"""The models of a Council: where each comes from, and what its server needs."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from deliberation.api.v1alpha1.base import DataKey, DnsLabel, Model, ObjectName, Rule, rules

ImageReference = Annotated[str, StringConstraints(min_length=1, max_length=512)]

MemoryQuantity = Annotated[str, StringConstraints(min_length=3, max_length=12, pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$")]
"""An amount of memory, such as 12Gi."""


def mebibytes(quantity: str) -> int:
    """Return an amount of memory in MiB.

    Raises:
        ValueError: it is no `MemoryQuantity`.
    """
    return int(quantity[:-2]) * {"Mi": 1, "Gi": 1024, "Ti": 1024 * 1024}[quantity[-2:]]


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

    size: Annotated[
        MemoryQuantity | None,
        Field(
            description="Memory that the weights take once loaded. Nobody knows it before the download: only what is "
            "declared here can be held against the GPU's memory before a pod starts"
        ),
    ] = None
    hub: HubWeights | None = None
    persistent_volume_claim: VolumeWeights | None = None


class Sharing(StrEnum):
    """How the GPUs that a server asks for are divided among pods."""

    EXCLUSIVE = "Exclusive"
    TIME_SLICING = "TimeSlicing"
    MPS = "MPS"
    MIG = "MIG"


class Gpu(Model):
    """What a server needs of the nodes' GPUs, and how it shares them."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.sharing == 'Exclusive' || self.slices == 1",
                "slices must be 1 unless sharing is Exclusive: two slices of one GPU give neither more memory nor more "
                "speed; raise memoryPerSlice, or take whole GPUs with sharing Exclusive",
                field="slices",
            ),
            Rule(
                "self.tensorParallel == self.slices",
                "tensorParallel must equal slices: each part of the model needs a GPU of its own, and a GPU without a "
                "part would idle; give both the same number",
                field="tensorParallel",
            ),
            Rule(
                "self.sharing != 'MIG' || has(self.resourceName)",
                "sharing MIG needs resourceName: name the profile, such as nvidia.com/mig-1g.10gb "
                "(kubectl describe node shows which there are)",
                field="resourceName",
            ),
        )
    )

    sharing: Annotated[
        Sharing,
        Field(
            description="Exclusive: whole GPUs. TimeSlicing and MPS: one slice of a GPU that the node's device plugin "
            "divides. MIG: one hardware partition"
        ),
    ] = Sharing.EXCLUSIVE
    slices: Annotated[
        int, Field(ge=1, le=16, description="Units to ask for: whole GPUs if Exclusive, otherwise one slice")
    ] = 1
    resource_name: Annotated[
        str | None,
        StringConstraints(max_length=128, pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$"),
        Field(
            description="Extended resource to ask for; default nvidia.com/gpu, or nvidia.com/gpu.shared where nodes "
            "offer slices under that name"
        ),
    ] = None
    memory_per_slice: Annotated[
        MemoryQuantity | None,
        Field(
            description="GPU memory that the server may use of each unit; default is 92% of the GPU's memory, divided "
            "by its slices, as the node's labels tell"
        ),
    ] = None
    tensor_parallel: Annotated[
        int, Field(ge=1, le=16, description="Parts that the model is split into, one for each unit")
    ] = 1


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
    gpu: Annotated[Gpu | None, Field(description="Run on GPUs; absent runs on CPU")] = None


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
