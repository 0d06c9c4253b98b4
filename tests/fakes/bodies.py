"""Bodies of Councils and Deliberations, and the settings to render with, for tests."""

from typing import Any

from council_operator.plan.settings import Images, RenderSettings
from deliberation.api.v1alpha1.base import API_VERSION

Body = dict[str, Any]

NAMESPACE = "team-a"
NOW_MS = 1_790_000_000_000

SETTINGS = RenderSettings(
    images=Images(
        operator="council-operator/operator:0.1.0",
        runner="council-operator/runner:0.1.0",
        vllm="vllm/vllm-openai:v0.32.0",
        vllm_cpu="council-operator/vllm-cpu:0.32.0",
    ),
    bus_url="nats://nats.council-system.svc:4222",
    bus_user="runner",
    bus_password="bus-password-in-clear",  # noqa: S106 - opens nothing
    derivation_key=b"derivation-key-in-clear",
)

SIMULATED: Body = {"name": "small", "simulated": {"accuracyPercent": 70}}
VLLM: Body = {"name": "small", "vllm": {"model": "Qwen/Qwen3-0.6B", "revision": "abc123"}}
ENDPOINT: Body = {
    "name": "small",
    "endpoint": {
        "url": "https://llm.example.com/v1/",
        "modelName": "big",
        "apiKeySecretRef": {"name": "llm-key", "key": "token"},
    },
}


def council_spec(*models: Body, seats: int = 3, **changes: Any) -> Body:
    """Return a spec with one member of `seats` seats on the first model, which is simulated unless models are given."""
    declared = list(models) or [SIMULATED]
    member = {"name": "dev", "role": "Developer", "seats": seats, "modelRef": declared[0]["name"]}
    return {"models": declared, "members": [member], **changes}


def council(spec: Body | None = None, name: str = "architects", uid: str = "") -> Body:
    """Return a Council as it is right after its creation."""
    metadata = {"name": name, "namespace": NAMESPACE, "uid": uid or f"uid-{name}", "generation": 1}
    body = {"apiVersion": API_VERSION, "kind": "Council", "metadata": metadata, "spec": spec or council_spec()}
    return {**body, "status": {"observedGeneration": -1}}


def ready_council(spec: Body | None = None, name: str = "architects") -> Body:
    """Return a Council that says it can take questions."""
    condition = {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "observedGeneration": 1}
    return {**council(spec, name), "status": {"observedGeneration": 1, "conditions": [condition]}}


def deliberation(name: str = "q1", council_name: str = "architects", **spec: Any) -> Body:
    """Return a Deliberation as it is right after its creation."""
    metadata = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "generation": 1}
    body = {"apiVersion": API_VERSION, "kind": "Deliberation", "metadata": metadata}
    asked = {"councilRef": {"name": council_name}, "question": "Which database?", **spec}
    return {**body, "spec": asked, "status": {"observedGeneration": -1}}
