"""A model that the operator serves with vLLM."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from deliberation.api.v1alpha1.base import ImageReference, Model, Rule, by_name, rules
from deliberation.api.v1alpha1.gpu import Gpu
from deliberation.api.v1alpha1.weights import Adapter, Weights

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
