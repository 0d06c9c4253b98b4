from typing import Any

import pytest

from council_operator.plan.gpu import Holding, Placement, ServerId
from council_operator.plan.gpu_holdings import read_holding
from council_operator.plan.gpu_memory import Share
from council_operator.plan.gpu_nodes import Pool
from council_operator.render import vllm
from deliberation.api.v1alpha1.council_models import Sharing, VllmModel
from fakes.bodies import SETTINGS, council
from fakes.pod_security import violations

Body = dict[str, Any]


MEMORY = ("nvidia.com/gpu.memory", "24576")
SLICE = Placement(
    Pool("nvidia.com/gpu.shared", Sharing.TIME_SLICING, 24_576, 4, (MEMORY,)), slices=1, share=Share(23, 5652, 2048)
)


def deployment(placement: Placement | None = None, replicas: int = 1, **fields: Any) -> Body:
    model = VllmModel.model_validate({"model": "Qwen/Qwen3-0.6B", **fields})
    return vllm.render_deployment("model-1", model, "vllm-image", placement, replicas, council(), SETTINGS)


def pod_of(body: Body) -> Body:
    pod: Body = body["spec"]["template"]["spec"]
    return pod


def container_of(body: Body) -> Body:
    container: Body = pod_of(body)["containers"][0]
    return container


def variables_of(body: Body) -> Body:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container_of(body)["env"]}


def mounts_of(body: Body) -> Body:
    return {mount["mountPath"]: mount for mount in container_of(body)["volumeMounts"]}


ON_CPU = deployment(revision="abc")
ON_GPU = deployment(SLICE, gpu={"sharing": "TimeSlicing"})
FROM_VOLUME = deployment(revision="abc", weights={"persistentVolumeClaim": {"claimName": "w", "path": "a/b"}})
FROM_HUB = deployment(weights={"hub": {"tokenSecretRef": {"name": "hf", "key": "token"}, "cacheClaimName": "cache"}})


@pytest.mark.parametrize("body", [ON_CPU, ON_GPU, FROM_VOLUME, FROM_HUB])
def test_every_form_keeps_to_the_restricted_profile(body: Body) -> None:
    assert violations(pod_of(body)) == []


def test_a_server_on_cpu_is_set_up_by_these_flags() -> None:
    assert container_of(ON_CPU)["args"] == [
        "--port=8000",
        "--model=Qwen/Qwen3-0.6B",
        "--served-model-name=Qwen/Qwen3-0.6B",
        "--max-model-len=4096",
        "--max-num-seqs=64",
        "--enable-prefix-caching",
        "--enable-prompt-tokens-details",
        "--scheduling-policy=priority",
        "--shutdown-timeout=60",
        '--structured-outputs-config={"backend":"guidance","disable_any_whitespace":true}',
        "--revision=abc",
        "--enforce-eager",
    ]
    assert variables_of(ON_CPU)["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert "limits" not in container_of(ON_CPU)["resources"]


def test_a_server_on_gpu_asks_for_one_unit_and_its_share_of_memory() -> None:
    args = container_of(ON_GPU)["args"]
    assert "--gpu-memory-utilization=0.23" in args
    assert f"--kv-cache-memory-bytes={2048 * 1024 * 1024}" in args
    assert "--enforce-eager" not in args
    assert container_of(ON_GPU)["resources"]["limits"] == {"nvidia.com/gpu.shared": "1"}
    assert "VLLM_CPU_KVCACHE_SPACE" not in variables_of(ON_GPU)


def test_waiting_for_its_turn_changes_nothing_of_the_pods() -> None:
    waiting = deployment(SLICE, replicas=0, gpu={"sharing": "TimeSlicing"})
    assert waiting["spec"]["replicas"] == 0
    assert waiting["spec"]["template"] == ON_GPU["spec"]["template"]


def test_what_it_was_given_is_read_back_from_the_deployment() -> None:
    assert read_holding(ON_GPU) == Holding(ServerId("team-a", "model-1"), SLICE.pool, 1)
    assert read_holding(ON_CPU) is None


def test_weights_on_a_volume_are_mounted_read_only_and_served_under_the_models_name() -> None:
    args = container_of(FROM_VOLUME)["args"]
    assert "--model=/var/weights/a/b" in args
    assert "--served-model-name=Qwen/Qwen3-0.6B" in args
    assert not any(arg.startswith("--revision") for arg in args)
    assert mounts_of(FROM_VOLUME)["/var/weights"]["readOnly"] is True
    claims = [
        volume["persistentVolumeClaim"]
        for volume in pod_of(FROM_VOLUME)["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    assert claims == [{"claimName": "w", "readOnly": True}]


def test_hub_token_and_cache_are_taken_by_reference() -> None:
    assert variables_of(FROM_HUB)["HF_TOKEN"] == {"secretKeyRef": {"name": "hf", "key": "token"}}
    assert {"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}} in pod_of(FROM_HUB)["volumes"]
    assert variables_of(FROM_HUB)["HF_HOME"].startswith("/var/cache/council/")


def test_the_api_key_comes_from_the_secret_alone() -> None:
    assert variables_of(ON_CPU)["VLLM_API_KEY"] == {"secretKeyRef": {"name": "council-models", "key": "api-key"}}


def test_it_drains_before_it_is_killed() -> None:
    assert container_of(ON_CPU)["lifecycle"]["preStop"]["sleep"]["seconds"] + vllm.DRAIN_SECONDS < vllm.GRACE_SECONDS
    assert pod_of(ON_CPU)["terminationGracePeriodSeconds"] == vllm.GRACE_SECONDS


def test_loading_weights_may_take_half_an_hour() -> None:
    probe = container_of(ON_CPU)["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 1800


def test_an_accelerator_is_never_asked_for_twice() -> None:
    assert ON_GPU["spec"]["strategy"] == {"type": "Recreate"}


def test_a_models_name_cannot_become_another_flag_or_show_a_variable() -> None:
    args = container_of(deployment(model="--trust-remote-code $(VLLM_API_KEY)"))["args"]
    assert "--model=--trust-remote-code $$(VLLM_API_KEY)" in args
    assert not [arg for arg in args if arg.startswith("--trust")]


def test_the_service_selects_its_own_pods_only() -> None:
    service = vllm.render_service("model-1", council())
    labels = ON_CPU["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert service["spec"]["selector"]["app.kubernetes.io/instance"] == "model-1"
    assert ON_CPU["spec"]["selector"]["matchLabels"].items() <= labels.items()
