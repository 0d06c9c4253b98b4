"""The models of a Council: where each comes from, and what its server needs."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from deliberation.api.v1alpha1.base import DataKey, DnsLabel, Model, ObjectName, Rule, by_name, rules

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


_INSIDE = rules(
    Rule(
        "!self.startsWith('/') && !self.split('/').exists(part, part == '..')",
        "path must be relative to the volume's root and must not leave it: no leading / and no ..",
    )
)


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
            json_schema_extra=_INSIDE,
        ),
    ]


class ImageWeights(Model):
    """Weights in an OCI image or artifact, which the kubelet pulls and mounts read-only."""

    reference: Annotated[ImageReference, Field(description="Image that holds the weights")]
    path: Annotated[
        str,
        StringConstraints(max_length=512),
        Field(
            description="Folder of the model inside the image, relative; empty is its root", json_schema_extra=_INSIDE
        ),
    ] = ""


class Weights(Model):
    """Where a model server finds its weights: at most one source; none means the hub without a token or cache."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "[has(self.hub), has(self.persistentVolumeClaim), has(self.image)].filter(x, x).size() <= 1",
                "weights come from one source: give at most one of hub, persistentVolumeClaim and image",
            ),
        )
    )

    size: Annotated[
        MemoryQuantity | None,
        Field(
            description="Memory that the weights take once loaded, adapters included. Nobody knows it before the "
            "download: only what is declared here can be held against the GPU's memory, or asked of a node, beforehand"
        ),
    ] = None
    hub: HubWeights | None = None
    persistent_volume_claim: VolumeWeights | None = None
    image: ImageWeights | None = None

    @property
    def is_mounted(self) -> bool:
        """Return whether the weights lie in the pod's file system, and are not downloaded."""
        return self.persistent_volume_claim is not None or self.image is not None


class Adapter(Model):
    """A LoRA adapter that a model's server serves beside the model itself."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "has(self.hub) != has(self.path)",
                "an adapter comes from one place: give either hub, its id there, or path, its folder near the weights",
            )
        )
    )

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=22, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        Field(description="What members call it, and the name that it is served under"),
    ]
    hub: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+$"),
        Field(description="Id at the hub"),
    ] = None
    path: Annotated[
        str | None,
        StringConstraints(min_length=1, max_length=512),
        Field(description="Folder in the volume or image of the weights, relative", json_schema_extra=_INSIDE),
    ] = None
    rank: Annotated[
        int,
        Field(
            ge=8,
            le=512,
            description="Rank that the adapter was trained with, or the next larger that vLLM knows",
            json_schema_extra=rules(
                Rule(
                    "self in [8, 16, 32, 64, 128, 256, 320, 512]",
                    "rank must be one that vLLM knows (8, 16, 32, 64, 128, 256, 320 or 512): take the next larger one",
                )
            ),
        ),
    ] = 16


OWNED_FLAGS = (
    *("api-key", "config", "data-parallel-size", "enable-lora", "enable-prefix-caching"),
    *("enable-prompt-tokens-details", "gpu-memory-utilization", "headless", "host", "kv-cache-memory-bytes"),
    *("lora-modules", "max-lora-rank", "max-loras", "max-model-len", "model", "pipeline-parallel-size", "port"),
    *("revision", "root-path", "scheduling-policy", "served-model-name", "shutdown-timeout", "ssl-ca-certs"),
    *("ssl-certfile", "ssl-keyfile", "structured-outputs-config", "tensor-parallel-size", "uds"),
)
"""Flags of vLLM that users may not give, because the operator gives them, or relies on them."""

_ENGINE_ARGS_RULES = rules(
    Rule(
        "self.all(x, x.matches('^--[A-Za-z0-9][A-Za-z0-9._+-]*(=.*)?$'))",
        "each of engineArgs is one flag of vLLM with its value, such as --max-num-batched-tokens=2048",
    ),
    Rule(
        f"!self.exists(x, x.replace('_', '-').matches('^--(no-)?({'|'.join(OWNED_FLAGS)})([.+=]|$)'))",
        "engineArgs holds a flag that the operator sets: use the fields of the model and of gpu instead "
        "(docs/gpu.md lists these flags)",
    ),
)


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

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!has(self.adapters) || !self.adapters.exists(a, has(a.path)) || (has(self.weights) && "
                "(has(self.weights.persistentVolumeClaim) || has(self.weights.image)))",
                "path of an adapter is a folder beside the weights, so these must come from persistentVolumeClaim or "
                "image: give the adapter's hub id instead, or mount the weights",
                field="adapters",
            ),
            Rule(
                "!has(self.adapters) || !self.adapters.exists(a, a.name == self.model)",
                "an adapter may not have the name of its model: requests could not tell them apart",
                field="adapters",
            ),
            Rule(
                "self.replicas == 1 || !has(self.gpu) || self.gpu.sharing in ['Exclusive', 'MIG']",
                "replicas need GPUs of their own, and slices of one GPU give no more speed: take sharing Exclusive or "
                "MIG, or one replica",
                field="replicas",
            ),
            Rule(
                "self.replicas == 1 || !has(self.weights) || !has(self.weights.hub) || "
                "!has(self.weights.hub.cacheClaimName)",
                "replicas would write one cache volume at the same time: leave weights.hub.cacheClaimName out, or "
                "mount the weights from persistentVolumeClaim or image",
                field="replicas",
            ),
        )
    )

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
    adapters: Annotated[
        tuple[Adapter, ...],
        Field(max_length=16, json_schema_extra=by_name(), description="LoRA adapters that members may ask for"),
    ] = ()
    engine_args: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=3, max_length=512)], ...],
        Field(
            max_length=32,
            json_schema_extra=_ENGINE_ARGS_RULES,
            description="Further flags of vLLM, for what has no field of its own; an unknown one keeps the server down",
        ),
    ] = ()
    gpu: Annotated[Gpu | None, Field(description="Run on GPUs; absent runs on CPU")] = None
    replicas: Annotated[
        int,
        Field(
            ge=1,
            le=8,
            description="Servers of this model, each with GPUs of its own; seats ask the one that has least to do. A "
            "change restarts none that runs; Councils that share the server get as many as the one that asks for most",
        ),
    ] = 1
    idle_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=604_800,
            description="Time without a Deliberation after which the server is put to sleep: it has no pod then, and "
            "the next Deliberation wakes it; 0 is never. Councils that share the server must all allow it",
            json_schema_extra=rules(
                Rule("self == 0 || self >= 60", "idleSeconds must be 0, which is never, or at least 60")
            ),
        ),
    ] = 0
    pod_template: Annotated[
        dict[str, Any],
        Field(
            default_factory=dict,
            json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
            description="Merged over the server's pod template: metadata and spec, lists by name as Kubernetes does. "
            "The container is called vllm; its command, args and ports stay as they are",
        ),
    ]


class EndpointModel(Model):
    """An OpenAI-compatible server that somebody else runs."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "!has(self.caBundleRef) || self.url.startsWith('https://')",
                "caBundleRef says whose certificates are trusted, and a url of http:// has none: use https:// or "
                "remove caBundleRef",
                field="caBundleRef",
            ),
        )
    )

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
    ca_bundle_ref: Annotated[
        KeyReference | None,
        Field(
            description="ConfigMap that holds, in PEM, the certificates of the authorities that the server's "
            "certificate must come from; default is those that the runner's image trusts"
        ),
    ] = None


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
