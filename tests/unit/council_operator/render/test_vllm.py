import json
from dataclasses import replace
from typing import Any

import pytest

from council_operator.plan.gpu import Holding, Placement, Pool, ServerId, Share, read_holding
from council_operator.render import vllm
from deliberation.api.v1alpha1.gpu import Sharing
from deliberation.api.v1alpha1.vllm import VllmModel
from fakes.bodies import SETTINGS, council
from fakes.pod_security import violations

Body = dict[str, Any]


MEMORY = ("nvidia.com/gpu.memory", "24576")
SLICE = Placement(
    Pool("nvidia.com/gpu.shared", Sharing.TIME_SLICING, 24_576, 4, (MEMORY,)), slices=1, share=Share(23, 5652, 2048)
)


def deployment(placement: Placement | None = None, running: vllm.Running = vllm.Running.YES, **fields: Any) -> Body:
    model = VllmModel.model_validate({"model": "Qwen/Qwen3-0.6B", **fields})
    return vllm.render_deployment("model-1", model, "vllm-image", placement, running, council(), SETTINGS)


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


WITH_ADAPTER = deployment(
    adapters=[{"name": "law", "hub": "org/law"}], podTemplate={"metadata": {"labels": {"a": "b"}}}
)
FROM_IMAGE = deployment(weights={"image": {"reference": "registry.example/weights:1"}})


@pytest.mark.parametrize("body", [ON_CPU, ON_GPU, FROM_VOLUME, FROM_HUB, FROM_IMAGE, WITH_ADAPTER])
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
        "--shutdown-timeout=300",
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
    assert container_of(ON_GPU)["resources"]["limits"] == {"nvidia.com/gpu": "0", "nvidia.com/gpu.shared": "1"}
    assert "VLLM_CPU_KVCACHE_SPACE" not in variables_of(ON_GPU)


def test_waiting_for_its_turn_changes_nothing_of_the_pods() -> None:
    waiting = deployment(SLICE, vllm.Running.NOT_YET, gpu={"sharing": "TimeSlicing"})
    assert waiting["spec"]["replicas"] == 0
    assert waiting["spec"]["template"] == ON_GPU["spec"]["template"]


def test_what_it_was_given_is_read_back_from_the_deployment() -> None:
    held = Holding(ServerId("team-a", "model-1"), SLICE.pool, 1)
    assert read_holding(ON_GPU) == held
    waiting = deployment(SLICE, vllm.Running.NOT_YET, gpu={"sharing": "TimeSlicing"})
    assert read_holding(waiting) == replace(held, is_live=False)
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
    unlisted = container_of(ON_CPU)["lifecycle"]["preStop"]["sleep"]["seconds"]
    (drain,) = [arg for arg in container_of(ON_CPU)["args"] if arg.startswith("--shutdown-timeout=")]
    assert unlisted + int(drain.partition("=")[2]) < pod_of(ON_CPU)["terminationGracePeriodSeconds"]


def test_the_end_of_its_log_is_kept_when_it_fails() -> None:
    assert container_of(ON_CPU)["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_loading_weights_may_take_half_an_hour() -> None:
    probe = container_of(ON_CPU)["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 1800


@pytest.mark.parametrize(
    "fields",
    [
        {"gpu": {"sharing": "TimeSlicing"}},
        {"gpu": {"sharing": "MPS"}},
        {"weights": {"hub": {"cacheClaimName": "cache"}}},
    ],
)
def test_a_server_that_shares_a_gpu_or_writes_a_volume_is_gone_before_the_next_begins(fields: Body) -> None:
    assert deployment(**fields)["spec"]["strategy"] == {"type": "Recreate"}


def test_replicas_are_replaced_one_after_the_other_without_another_gpu() -> None:
    several = deployment(replicas=3)
    assert several["spec"]["replicas"] == 3
    assert several["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
    }
    one = deployment(replicas=1)["spec"]
    assert one == {**several["spec"], "replicas": 1}, "a change of replicas restarts none that runs"
    assert deployment(running=vllm.Running.ASLEEP, replicas=3)["spec"]["replicas"] == 0


def test_each_replica_has_an_address_of_its_own() -> None:
    model = VllmModel.model_validate({"model": "m", "replicas": 2})
    together, each, _ = vllm.render_beside("model-1", model, council())
    assert (together["metadata"]["name"], together["spec"].get("clusterIP")) == ("model-1", None)
    assert (each["metadata"]["name"], each["spec"]["clusterIP"]) == ("model-1-each", "None")
    assert each["spec"]["selector"] == together["spec"]["selector"]


def test_replicas_are_evicted_one_by_one_and_a_single_server_never_blocks_the_drain_of_its_node() -> None:
    several = VllmModel.model_validate({"model": "m", "replicas": 2})
    service, _, budget = vllm.render_beside("model-1", several, council())
    assert (budget["apiVersion"], budget["kind"]) == ("policy/v1", "PodDisruptionBudget")
    assert budget["spec"] == {
        "maxUnavailable": 1,
        "selector": {"matchLabels": service["spec"]["selector"]},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    alone = vllm.render_beside("model-1", VllmModel.model_validate({"model": "m"}), council())
    assert [one["kind"] for one in alone] == ["Service"]


def test_a_models_name_cannot_become_another_flag_or_show_a_variable() -> None:
    args = container_of(deployment(model="--trust-remote-code $(VLLM_API_KEY)"))["args"]
    assert "--model=--trust-remote-code $$(VLLM_API_KEY)" in args
    assert not [arg for arg in args if arg.startswith("--trust")]


def test_the_service_selects_its_own_pods_only() -> None:
    [service] = vllm.render_beside("model-1", VllmModel.model_validate({"model": "m"}), council())
    labels = ON_CPU["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert service["spec"]["selector"]["app.kubernetes.io/instance"] == "model-1"
    assert ON_CPU["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_weights_in_an_image_are_mounted_read_only() -> None:
    body = deployment(revision="abc", weights={"image": {"reference": "registry.example/weights:1", "path": "a"}})
    assert {"name": "weights", "image": {"reference": "registry.example/weights:1", "pullPolicy": "IfNotPresent"}} in (
        pod_of(body)["volumes"]
    )
    assert mounts_of(body)["/var/weights"]["readOnly"] is True
    assert "--model=/var/weights/a" in container_of(body)["args"]
    assert not [arg for arg in container_of(body)["args"] if arg.startswith("--revision")]
    rooted = deployment(weights={"image": {"reference": "registry.example/weights:1"}})
    assert "--model=/var/weights" in container_of(rooted)["args"]


def test_adapters_are_served_under_their_own_names_all_at_once() -> None:
    claim = {"persistentVolumeClaim": {"claimName": "w", "path": "m"}}
    adapters = [{"name": "law", "path": "adapters/law", "rank": 64}, {"name": "tax", "hub": "org/tax"}]
    args = container_of(deployment(SLICE, weights=claim, adapters=adapters, gpu={"sharing": "TimeSlicing"}))["args"]
    first = args.index("--enable-lora")
    assert args[first : first + 4] == ["--enable-lora", "--max-loras=2", "--max-lora-rank=64", "--lora-modules"]
    assert [json.loads(arg) for arg in args[first + 4 :]] == [
        {"name": "law", "path": "/var/weights/adapters/law", "base_model_name": "Qwen/Qwen3-0.6B"},
        {"name": "tax", "path": "org/tax", "base_model_name": "Qwen/Qwen3-0.6B"},
    ]
    assert not [arg for arg in container_of(ON_CPU)["args"] if "lora" in arg]


def test_on_cpu_one_place_for_adapters_stays_empty() -> None:
    assert "--max-loras=2" in container_of(WITH_ADAPTER)["args"]


def test_further_flags_come_last_and_show_no_variable() -> None:
    args = container_of(deployment(engineArgs=["--max-num-seqs=8", "--seed=$(VLLM_API_KEY)"]))["args"]
    assert args[-2:] == ["--max-num-seqs=8", "--seed=$$(VLLM_API_KEY)"]


def test_a_pod_template_is_merged_and_the_gpu_stays_as_planned() -> None:
    template = {
        "metadata": {"labels": {"team": "a"}},
        "spec": {
            "nodeSelector": {"disk": "ssd"},
            "containers": [{"name": "vllm", "resources": {"limits": {"memory": "9Gi", "nvidia.com/gpu.shared": "4"}}}],
        },
    }
    body = deployment(SLICE, gpu={"sharing": "TimeSlicing"}, podTemplate=template)
    assert pod_of(body)["nodeSelector"] == {"disk": "ssd"}
    assert container_of(body)["resources"]["limits"] == {
        "memory": "9Gi",
        "nvidia.com/gpu": "0",
        "nvidia.com/gpu.shared": "1",
    }
    labels = body["spec"]["template"]["metadata"]["labels"]
    assert labels["team"] == "a"
    assert body["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert container_of(body)["args"] == container_of(ON_GPU)["args"]


def test_prometheus_finds_the_metrics() -> None:
    annotations = ON_CPU["spec"]["template"]["metadata"]["annotations"]
    assert (annotations["prometheus.io/port"], annotations["prometheus.io/path"]) == ("8000", "/metrics")


def test_weights_of_known_size_are_asked_of_the_node() -> None:
    body = deployment(weights={"size": "2Gi"})
    assert container_of(body)["resources"] == {"requests": {"cpu": "500m", "memory": "4096Mi"}}


def test_a_sleeping_server_has_no_pod_and_says_why() -> None:
    asleep = deployment(running=vllm.Running.ASLEEP)
    assert asleep["spec"]["replicas"] == 0
    assert asleep["metadata"]["annotations"]["councils.dev/asleep"] == "true"
    assert asleep["spec"]["template"] == deployment()["spec"]["template"]
    for running in (vllm.Running.NOT_YET, vllm.Running.YES):
        assert deployment(running=running)["metadata"]["annotations"]["councils.dev/asleep"] == "false"
