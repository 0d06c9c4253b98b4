"""GPUs shared by Councils on a real scheduler. The GPUs, the device plugin and vLLM are fakes, and named so."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import yaml

from demonstration.kubectl import Body, Kubectl, find_condition, is_true
from e2e.scene import (
    READY_SECONDS,
    await_answer,
    await_condition,
    await_ready,
    council,
    deliberation,
    install_operator,
    remove_operator,
    sample,
)
from fakes.fake_device_plugin import CONFIG_LABEL, CONFIG_MAP, NAMESPACE, FakeDevicePlugin
from fakes.fake_nodes import MARK

MODEL = "fake/simulated"
COUNCILS = ("dev", "qa", "architect", "devops", "data")
WHOLE_GPUS = {"default": "version: v1\n"}
FOUR_SLICES = "version: v1\nsharing:\n  timeSlicing:\n    resources: [{name: nvidia.com/gpu, replicas: 4}]\n"


def on_a_slice(name: str = "shared", *, flags: tuple[str, ...] = (), **fields: Any) -> Body:
    """Return a model on one slice of a GPU, served by the fake of vLLM."""
    server = {"model": MODEL, "image": "council-operator/fake-vllm:0.1.0", "weights": {"size": "1300Mi"}}
    small = {"name": "vllm", "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}}}
    pod = {"gpu": {"sharing": "TimeSlicing"}, "podTemplate": {"spec": {"containers": [small]}}}
    return {"name": name, "vllm": {**server, **pod, "engineArgs": list(flags), **fields}}


@pytest.fixture(scope="module")
def plugin(cluster: Kubectl, system: Kubectl) -> Iterator[FakeDevicePlugin]:
    """Two nodes that seem to have one whole GPU of 24 GiB each, and a device plugin that can divide them."""
    assert system
    nodes = [node["metadata"]["name"] for node in cluster.find_all("nodes")]
    if len(nodes) < 2:
        pytest.skip("one node is too few to tell nodes apart: hack/test e2e makes two")
    assert cluster.find("namespaces", NAMESPACE) is None, "this cluster has a GPU operator: no place for a fake of it"
    cluster.run("create", "namespace", NAMESPACE)
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP}}
    try:
        body = json.dumps({**config, "data": {**WHOLE_GPUS, "four": FOUR_SLICES}})
        cluster.within(NAMESPACE).run("create", "--filename=-", text=body)
        with FakeDevicePlugin(cluster, nodes[:2]) as fake:
            yield fake
    finally:
        cluster.delete("namespaces", NAMESPACE)


@pytest.fixture
def divided(plugin: FakeDevicePlugin) -> Iterator[FakeDevicePlugin]:
    """Both nodes divide their GPU into four slices."""
    for node in plugin.nodes:
        plugin.label(node, "four")
    yield plugin
    for node in plugin.nodes:
        plugin.label(node, None)


def test_missing_slices_are_told_with_what_to_apply_and_a_lost_gpu_comes_back(
    plugin: FakeDevicePlugin, cluster: Kubectl, namespace: Kubectl
) -> None:
    namespace.apply(council("slicing", model=on_a_slice()))
    await_condition(namespace, "councils", "slicing", "GPUPlanValid", "False", reason="GPUSlicesUnavailable")
    assert live_servers(namespace) == []
    advice = namespace.run("get", "council", "slicing", "--output=jsonpath={.status.gpuPlan.configMap}")
    (key,) = set(yaml.safe_load(advice)["data"]) - set(WHOLE_GPUS)
    node = plugin.nodes[0]

    cluster.within(NAMESPACE).run("apply", "--filename=-", text=advice)
    plugin.label(node, key)
    try:
        await_condition(namespace, "councils", "slicing", "ModelsAvailable", "True")
        (pod,) = server_pods(namespace)
        assert pod["spec"]["nodeName"] == node

        plugin.lose_gpu(node)
        lost = await_condition(namespace, "councils", "slicing", "GPUPlanValid", "False")
        assert lost["reason"] == "GPUSlicesUnavailable"
        plugin.return_gpu(node)
        await_condition(namespace, "councils", "slicing", "GPUPlanValid", "True")
        await_condition(namespace, "councils", "slicing", "ModelsAvailable", "True")
    finally:
        plugin.return_gpu(node)
        plugin.label(node, None)


def test_a_model_that_is_larger_than_a_slice_is_refused_with_numbers(
    divided: FakeDevicePlugin, namespace: Kubectl
) -> None:
    assert divided
    namespace.apply(council("greedy", model=on_a_slice(weights={"size": "16Gi"})))
    refused = await_condition(namespace, "councils", "greedy", "GPUPlanValid", "False", reason="GPUMemoryTooSmall")
    assert "it needs 18176 MiB" in refused["message"]
    assert "has 5652 MiB" in refused["message"]
    assert namespace.find_all("deployments") == []
    assert server_pods(namespace) == []


def test_two_models_on_one_gpu_start_one_after_the_other(plugin: FakeDevicePlugin, namespace: Kubectl) -> None:
    node = plugin.nodes[1]
    plugin.label(node, "four")
    try:
        body = council("two", model=on_a_slice(flags=("--fake-start-seconds=5",)))
        other = on_a_slice("other", flags=("--fake-start-seconds=5", "--max-num-batched-tokens=2048"))
        body["spec"]["models"].append(other)
        namespace.apply(body)
        await_condition(namespace, "councils", "two", "ModelsAvailable", "True")
    finally:
        plugin.label(node, None)
    first, second = sorted(server_pods(namespace), key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    assert (first["spec"]["nodeName"], second["spec"]["nodeName"]) == (node, node)
    assert time_of(second["metadata"]["creationTimestamp"]) >= ready_time(first)


def test_five_councils_share_one_slice_and_wake_their_server_when_it_slept(
    divided: FakeDevicePlugin, cluster: Kubectl, namespace: Kubectl
) -> None:
    for body in yaml.safe_load_all(sample("five-councils").read_text()):
        body["spec"]["models"] = [on_a_slice(idleSeconds=60)]
        namespace.apply(body)
    for name in COUNCILS:
        status = await_ready(namespace, name)["status"]
        assert status["seatCount"] == "3/3"
    (server,) = namespace.find_all("deployments")
    (pod,) = server_pods(namespace)
    (container,) = pod["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "--gpu-memory-utilization=0.23" in container["args"]
    node = pod["spec"]["nodeName"]
    assert node in divided.nodes
    assert status["models"][0]["gpu"] == {
        "resource": "nvidia.com/gpu",
        "slices": 1,
        "memoryUtilizationPercent": 23,
        "node": node,
    }
    assert MARK in cluster.run("get", "node", node, "--output=jsonpath={.metadata.labels}")

    for name in COUNCILS:
        namespace.apply(deliberation(f"ask-{name}", name))
    answers = [await_answer(namespace, f"ask-{name}") for name in COUNCILS]
    assert all(len(answer["status"]["proposals"]) == 3 for answer in answers)
    assert {proposal["model"] for answer in answers for proposal in answer["status"]["proposals"]} == {MODEL}

    name = server["metadata"]["name"]
    namespace.wait_for("deployments", name, lambda body: body["spec"]["replicas"] == 0, seconds=300, what="asleep")
    await_condition(namespace, "councils", "qa", "ModelsAvailable", "True", reason="Asleep")
    namespace.apply(deliberation("wake", "qa"))
    warming = namespace.wait_for("deliberations", "wake", says_what_warms, seconds=READY_SECONDS, what="Warming")
    assert warming["status"]["phase"] == "Warming"
    await_answer(namespace, "wake")
    assert is_true(namespace.find("councils", "dev") or {}, "Ready")


def test_the_operator_divides_selected_nodes_itself_and_restores_them_when_it_is_removed(
    plugin: FakeDevicePlugin, cluster: Kubectl, namespace: Kubectl
) -> None:
    chosen, foreign = plugin.nodes
    selector = {"councils.dev/e2e-shared": "yes"}
    for node in plugin.nodes:
        cluster.run("label", "node", node, "councils.dev/e2e-shared=yes")
    plugin.label(foreign, "default")
    try:
        install_operator(cluster, gpuSharing={"manage": True, "nodeSelector": selector, "slicesPerGPU": 4})
        namespace.apply(council("served", model=on_a_slice()))
        await_condition(namespace, "councils", "served", "ModelsAvailable", "True")
        assert [pod["spec"]["nodeName"] for pod in server_pods(namespace)] == [chosen]
        assert config_label(cluster, chosen) == "council-time-slicing-4"
        assert config_label(cluster, foreign) == "default"
        events = cluster.within("default").find_all("events")
        told = {(one["involvedObject"]["name"], one["reason"]) for one in events}
        assert (chosen, "GPUsDivided") in told
        assert (foreign, "GPUsDivided") not in told

        namespace.run("delete", "councils", "--all", "--wait", "--timeout=180s", seconds=190)
        remove_operator(cluster)
        assert config_label(cluster, chosen) is None
        assert config_label(cluster, foreign) == "default"
        config = cluster.within(NAMESPACE).find("configmaps", CONFIG_MAP)
        assert config
        assert "council-time-slicing-4" not in config["data"]
        assert "default" in config["data"]
    finally:
        install_operator(cluster)
        for node in plugin.nodes:
            cluster.run("label", "node", node, "councils.dev/e2e-shared-")
        plugin.label(foreign, None)


def config_label(cluster: Kubectl, node: str) -> str | None:
    body = cluster.find("nodes", node)
    assert body
    label: str | None = body["metadata"]["labels"].get(CONFIG_LABEL)
    return label


def says_what_warms(body: Body) -> bool:
    """Return whether a waiting Deliberation names its model, and since when that starts."""
    waits = find_condition(body, "CouncilReady") or {}
    return "model shared" in waits.get("message", "") and "since" in waits["message"]


def live_servers(namespace: Kubectl) -> list[str]:
    return [body["metadata"]["name"] for body in namespace.find_all("deployments") if body["spec"]["replicas"]]


def server_pods(namespace: Kubectl) -> list[Body]:
    return namespace.find_all("pods", selector="app.kubernetes.io/name=vllm")


def ready_time(pod: Body) -> datetime:
    (ready,) = [one for one in pod["status"]["conditions"] if (one["type"], one["status"]) == ("Ready", "True")]
    return time_of(ready["lastTransitionTime"])


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)
