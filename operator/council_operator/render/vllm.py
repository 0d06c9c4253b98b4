"""A vLLM server as a Deployment, set up by flags: an unknown flag stops the server, an unknown variable does not."""

import json
from enum import Enum, auto

from council_operator.plan.gpu import Placement, write_holding
from council_operator.plan.settings import RenderSettings
from council_operator.render import gpu, labels, pod_template, pods, servers
from council_operator.render.labels import Body
from council_operator.render.names import MODEL_PORT, MODELS_API_KEY, MODELS_SECRET
from deliberation.api.v1alpha1.base import mebibytes
from deliberation.api.v1alpha1.gpu import Sharing
from deliberation.api.v1alpha1.vllm import VllmModel
from deliberation.api.v1alpha1.weights import HubWeights

APPLICATION = "vllm"

START_SECONDS = 1800
UNLIST_SECONDS = 10
"""Time in which clients see that a server's address is gone."""

DRAIN_SECONDS = 300
"""Longest time for the calls that run when a server is to stop: a long answer on a CPU takes minutes. It goes as soon
as none runs; a call that takes longer is asked again at the server that follows."""

GRACE_SECONDS = UNLIST_SECONDS + DRAIN_SECONDS + 20

_STRUCTURED_OUTPUTS = '{"backend":"guidance","disable_any_whitespace":true}'
"""JSON without blanks between its parts: small models fill them with blanks until they meet the token limit. Of the two
backends that can do it, guidance knows more of JSON Schema."""

_METRICS = {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": str(MODEL_PORT),
    "prometheus.io/path": "/metrics",
}
"""What many a Prometheus goes by; the metrics ask for no key."""

_CPU_OVERHEAD_MIB = 1024
_CACHE = "/var/cache/council"
_WEIGHTS = "/var/weights"


_ONE_AFTER_THE_OTHER = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
"""How replicas are replaced: the others go on answering, and none needs a GPU beside those of the plan. A server that
may have several is replaced so while it has one, too: Kubernetes refuses a change to Recreate as long as another
Council, by its own server-side apply, still states how to roll."""


class Running(Enum):
    """Whether a server is to have a pod, and if not, why."""

    YES = auto()
    NOT_YET = auto()
    ASLEEP = auto()


def render_deployment(
    name: str,
    model: VllmModel,
    image: str,
    placement: Placement | None,
    running: Running,
    council: Body,
    settings: RenderSettings,
) -> Body:
    """Return the Deployment that serves `model` on the GPUs of its placement, or on the CPU without one.

    The sleep before the stop lets clients see that the address is gone: a draining vLLM answers running calls, refuses
    new ones, and still calls itself healthy. Of a server that fails the end of its log is kept: the Council says why.
    """
    container = {
        **servers.server_container(pod_template.MAIN_CONTAINER, image, settings, START_SECONDS),
        "command": ["python3", "-m", "vllm.entrypoints.openai.api_server"],
        "args": [pods.literal(flag) for flag in _all_flags(model, placement, settings)],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "lifecycle": {"preStop": {"sleep": {"seconds": UNLIST_SECONDS}}},
        "env": _environment(model, settings),
        "resources": _resources(model, placement, settings),
        "volumeMounts": [{"name": volume["name"], **mount} for volume, mount in _volumes(model)],
    }
    pod = pods.pod_spec(container, [volume for volume, _ in _volumes(model)], settings)
    pod["terminationGracePeriodSeconds"] = GRACE_SECONDS
    body = servers.build_deployment(name, APPLICATION, council, settings, pod, {})
    if _may_have_replicas(model):
        body["spec"]["strategy"] = _ONE_AFTER_THE_OTHER
    template = body["spec"]["template"]
    template["metadata"]["annotations"] |= _METRICS
    template = pod_template.merge(template, model.pod_template)
    if placement:
        template["spec"] = gpu.bind(template["spec"], placement)
        body["metadata"]["annotations"][labels.GPU_HOLDING] = write_holding(placement)
    body["metadata"]["annotations"][labels.ASLEEP] = "true" if running is Running.ASLEEP else "false"
    body["spec"] |= {"replicas": model.replicas if running is Running.YES else 0, "template": template}
    return labels.seal(body)


def render_beside(name: str, model: VllmModel, council: Body) -> tuple[Body, ...]:
    """Return what a vLLM server has beside its Deployment.

    That is its Service, and for a Council that wants several replicas a Service by which each is found, and a
    PodDisruptionBudget.
    """
    service = servers.render_service(name, APPLICATION, council, {})
    if model.replicas == 1:
        return (service,)
    return (
        service,
        servers.render_replicas_service(name, APPLICATION, council),
        servers.render_disruption_budget(name, APPLICATION, council),
    )


def _may_have_replicas(model: VllmModel) -> bool:
    """Return whether the API takes more than one replica of a model: with GPUs, and a cache, of their own."""
    hub = model.weights.hub or HubWeights()
    return not hub.cache_claim_name and (model.gpu is None or model.gpu.sharing in {Sharing.EXCLUSIVE, Sharing.MIG})


def _all_flags(model: VllmModel, placement: Placement | None, settings: RenderSettings) -> list[str]:
    """Return the flags. Each is one argument, so that no text of the user's can be read as another flag.

    The user's come last: of a flag that is given twice vLLM takes the last.
    """
    device = gpu.flags(placement) if placement else ["--enforce-eager"]
    return [*_flags(model, settings), *device, *_adapter_flags(model, on_cpu=not placement), *model.engine_args]


def _flags(model: VllmModel, settings: RenderSettings) -> list[str]:
    flags = [
        f"--port={MODEL_PORT}",
        f"--model={_folder(model) or model.model}",
        f"--served-model-name={model.model}",
        f"--max-model-len={model.max_model_len}",
        f"--max-num-seqs={settings.max_sequences}",
        "--enable-prefix-caching",
        "--enable-prompt-tokens-details",
        "--scheduling-policy=priority",
        f"--shutdown-timeout={DRAIN_SECONDS}",
        f"--structured-outputs-config={_STRUCTURED_OUTPUTS}",
    ]
    if model.revision and not model.weights.is_mounted:
        flags.append(f"--revision={model.revision}")
    return flags


def _adapter_flags(model: VllmModel, *, on_cpu: bool) -> list[str]:
    """Return the flags that serve every adapter under its own name, all of them at the same time.

    On CPU one place more than there are adapters stays empty: there vLLM 0.32 answers requests without an adapter that
    run beside one with an adapter by the last place (vllm-project/vllm#48421).
    """
    if not model.adapters:
        return []
    modules = [
        {"name": one.name, "path": one.hub or f"{_WEIGHTS}/{one.path}", "base_model_name": model.model}
        for one in model.adapters
    ]
    return [
        "--enable-lora",
        f"--max-loras={len(model.adapters) + on_cpu}",
        f"--max-lora-rank={max(one.rank for one in model.adapters)}",
        "--lora-modules",
        *(json.dumps(module, separators=(",", ":")) for module in modules),
    ]


def _folder(model: VllmModel) -> str | None:
    """Return where mounted weights lie in the container; None for weights of the hub."""
    source = model.weights.persistent_volume_claim or model.weights.image
    return None if source is None else f"{_WEIGHTS}/{source.path}".rstrip("/")


def _environment(model: VllmModel, settings: RenderSettings) -> list[Body]:
    """Return what vLLM takes from the environment alone."""
    variables = [
        {"name": "HOME", "value": "/tmp"},  # noqa: S108 - an emptyDir of the pod
        {"name": "USER", "value": "council"},
        {"name": "HF_HOME", "value": f"{_CACHE}/huggingface"},
        {"name": "VLLM_CACHE_ROOT", "value": f"{_CACHE}/vllm"},
        {"name": "VLLM_NO_USAGE_STATS", "value": "1"},
        pods.secret_variable("VLLM_API_KEY", MODELS_SECRET, MODELS_API_KEY),
    ]
    if not model.gpu:
        variables.append({"name": "VLLM_CPU_KVCACHE_SPACE", "value": str(settings.cpu_kv_cache_gib)})
    hub = model.weights.hub or HubWeights()
    if hub.token_secret_ref:
        variables.append(pods.secret_variable("HF_TOKEN", hub.token_secret_ref.name, hub.token_secret_ref.key))
    return variables


def _resources(model: VllmModel, placement: Placement | None, settings: RenderSettings) -> Body:
    """Return requests without limits of CPU and memory: how much vLLM takes at most, nobody knows beforehand."""
    wanted = settings.vllm_gpu if placement else settings.vllm_cpu
    memory = wanted.memory
    if model.weights.size and not placement:
        memory = f"{mebibytes(model.weights.size) + settings.cpu_kv_cache_gib * 1024 + _CPU_OVERHEAD_MIB}Mi"
    return {"requests": {"cpu": wanted.cpu, "memory": memory}}


def _volumes(model: VllmModel) -> list[tuple[Body, Body]]:
    """Return the volumes, each with where it is mounted."""
    hub = model.weights.hub or HubWeights()
    cache = {"persistentVolumeClaim": {"claimName": hub.cache_claim_name}} if hub.cache_claim_name else {"emptyDir": {}}
    volumes: list[tuple[Body, Body]] = [
        ({"name": "tmp", "emptyDir": {}}, {"mountPath": "/tmp"}),  # noqa: S108 - an emptyDir of the pod
        ({"name": "shm", "emptyDir": {"medium": "Memory"}}, {"mountPath": "/dev/shm"}),  # noqa: S108 - as above
        ({"name": "cache", **cache}, {"mountPath": _CACHE}),
    ]
    weights = _weights_volume(model)
    if weights:
        volumes.append(({"name": "weights", **weights}, {"mountPath": _WEIGHTS, "readOnly": True}))
    return volumes


def _weights_volume(model: VllmModel) -> Body | None:
    claim, image = model.weights.persistent_volume_claim, model.weights.image
    if claim:
        return {"persistentVolumeClaim": {"claimName": claim.claim_name, "readOnly": True}}
    return {"image": {"reference": image.reference, "pullPolicy": "IfNotPresent"}} if image else None
