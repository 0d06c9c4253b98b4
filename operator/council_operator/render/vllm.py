"""A vLLM server as a Deployment, set up by flags: an unknown flag stops the server, an unknown variable does not."""

from council_operator.plan.gpu import Placement
from council_operator.plan.gpu_holdings import write_holding
from council_operator.plan.settings import RenderSettings
from council_operator.render import gpu, labels, pods, servers
from council_operator.render.labels import Body
from council_operator.render.names import MODEL_PORT, MODELS_API_KEY, MODELS_SECRET
from deliberation.api.v1alpha1.council_models import HubWeights, VllmModel

APPLICATION = "vllm"

START_SECONDS = 1800
DRAIN_SECONDS = 60
GRACE_SECONDS = 90

_STRUCTURED_OUTPUTS = '{"backend":"guidance","disable_any_whitespace":true}'
"""JSON without blanks between its parts: small models fill them with blanks until they meet the token limit. Of the two
backends that can do it, guidance knows more of JSON Schema."""

_CACHE = "/var/cache/council"
_WEIGHTS = "/var/weights"


def render_deployment(
    name: str,
    model: VllmModel,
    image: str,
    placement: Placement | None,
    replicas: int,
    council: Body,
    settings: RenderSettings,
) -> Body:
    """Return the Deployment that serves `model` on the GPUs of its placement, or on the CPU without one.

    The sleep before the stop lets clients see that the address is gone: a draining vLLM answers running calls, refuses
    new ones, and still calls itself healthy.
    """
    container = {
        **servers.server_container("vllm", image, settings, START_SECONDS),
        "command": ["python3", "-m", "vllm.entrypoints.openai.api_server"],
        "args": [pods.literal(flag) for flag in (*_flags(model, settings), *_device_flags(placement))],
        "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
        "env": _environment(model, settings),
        "resources": _resources(placement, settings),
        "volumeMounts": [{"name": volume["name"], **mount} for volume, mount in _volumes(model)],
    }
    pod = pods.pod_spec(container, [volume for volume, _ in _volumes(model)], settings)
    pod["terminationGracePeriodSeconds"] = GRACE_SECONDS
    if placement:
        pod |= gpu.placement_of_pod(placement)
    body = servers.build_deployment(name, APPLICATION, council, settings, pod, {})
    body["spec"]["replicas"] = replicas
    if placement:
        body["metadata"]["annotations"][labels.GPU_HOLDING] = write_holding(placement)
    return labels.seal(body)


def render_service(name: str, council: Body) -> Body:
    """Return the Service of a vLLM server."""
    return servers.render_service(name, APPLICATION, council, {})


def _flags(model: VllmModel, settings: RenderSettings) -> list[str]:
    """Return the flags. Each is one argument, so that no text of the user's can be read as another flag."""
    volume = model.weights.persistent_volume_claim
    flags = [
        f"--port={MODEL_PORT}",
        f"--model={_WEIGHTS}/{volume.path}" if volume else f"--model={model.model}",
        f"--served-model-name={model.model}",
        f"--max-model-len={model.max_model_len}",
        f"--max-num-seqs={settings.max_sequences}",
        "--enable-prefix-caching",
        "--enable-prompt-tokens-details",
        "--scheduling-policy=priority",
        f"--shutdown-timeout={DRAIN_SECONDS}",
        f"--structured-outputs-config={_STRUCTURED_OUTPUTS}",
    ]
    if model.revision and not volume:
        flags.append(f"--revision={model.revision}")
    return flags


def _device_flags(placement: Placement | None) -> list[str]:
    return gpu.flags(placement) if placement else ["--enforce-eager"]


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


def _resources(placement: Placement | None, settings: RenderSettings) -> Body:
    """Return requests without limits of CPU and memory: what the weights need is not known to the operator."""
    if placement:
        requests = {"cpu": settings.vllm_gpu.cpu, "memory": settings.vllm_gpu.memory}
        return {"requests": requests, "limits": gpu.limits(placement)}
    return {"requests": {"cpu": settings.vllm_cpu.cpu, "memory": settings.vllm_cpu.memory}}


def _volumes(model: VllmModel) -> list[tuple[Body, Body]]:
    """Return the volumes, each with where it is mounted."""
    hub = model.weights.hub or HubWeights()
    cache = {"persistentVolumeClaim": {"claimName": hub.cache_claim_name}} if hub.cache_claim_name else {"emptyDir": {}}
    volumes: list[tuple[Body, Body]] = [
        ({"name": "tmp", "emptyDir": {}}, {"mountPath": "/tmp"}),  # noqa: S108 - an emptyDir of the pod
        ({"name": "shm", "emptyDir": {"medium": "Memory"}}, {"mountPath": "/dev/shm"}),  # noqa: S108 - as above
        ({"name": "cache", **cache}, {"mountPath": _CACHE}),
    ]
    if model.weights.persistent_volume_claim:
        claim = {"claimName": model.weights.persistent_volume_claim.claim_name, "readOnly": True}
        volumes.append(({"name": "weights", "persistentVolumeClaim": claim}, {"mountPath": _WEIGHTS, "readOnly": True}))
    return volumes
