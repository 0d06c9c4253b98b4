import itertools
from typing import Any

import pytest

from council_operator import restore as restoring
from council_operator.dividing import Divider
from council_operator.plan.actions import ObjectReference
from council_operator.plan.gpu.words import CONFIG_LABEL
from council_operator.plan.settings import GpuDivision
from council_operator.restore import StillRunningError, main, restore
from fakes.fake_kubernetes import FakeKubernetes
from fakes.fake_nodes import fake_gpu_node

OPERATOR = ObjectReference("apps/v1", "Deployment", "council-system", "council-operator")
SELECTOR = "app=operator"
DIVISION = GpuDivision(selector=(("pool", "shared"),), slices=4, config_map="sharing", namespace="gpu-operator")


class FakeCluster(FakeKubernetes):
    """Its Deployment's pod ends as soon as it is scaled to zero, unless it is told to stay."""

    stays = False

    async def merge(self, reference: ObjectReference, patch: dict[str, Any]) -> dict[str, Any]:
        assert patch["spec"] == {"replicas": 0}
        if not self.stays:
            self.objects = {known: body for known, body in self.objects.items() if known.kind != "Pod"}
        return await super().merge(reference, patch)


@pytest.fixture
async def cluster() -> FakeCluster:
    """A cluster whose node was divided by an operator that runs."""
    cluster = FakeCluster()
    node = fake_gpu_node("a")
    node["metadata"]["labels"]["pool"] = "shared"
    metadata = {"name": "sharing", "namespace": "gpu-operator"}
    pod = {"name": "p", "namespace": OPERATOR.namespace, "labels": {"app": "operator"}}
    for body in (
        node,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": OPERATOR.name, "namespace": OPERATOR.namespace},
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": pod},
    ):
        cluster.put(body)
    await Divider(cluster, DIVISION).look()
    return cluster


def label_of(cluster: FakeCluster) -> str | None:
    labels = cluster.objects[ObjectReference("v1", "Node", "", "a")]["metadata"]["labels"]
    found: str | None = labels.get(CONFIG_LABEL)
    return found


async def test_the_operator_ends_before_its_nodes_are_given_back(cluster: FakeCluster) -> None:
    assert label_of(cluster)
    await restore(cluster, OPERATOR, SELECTOR, DIVISION)
    assert label_of(cluster) is None
    verbs = [(verb, kind) for verb, kind, _ in cluster.writes]
    assert verbs.index(("merge", "Deployment")) < len(verbs) - 1 - verbs[::-1].index(("contribute", "Node"))


async def test_an_operator_that_is_gone_already_is_no_fault(cluster: FakeCluster) -> None:
    del cluster.objects[OPERATOR]
    cluster.objects = {known: body for known, body in cluster.objects.items() if known.kind != "Pod"}
    await restore(cluster, OPERATOR, SELECTOR, DIVISION)
    assert label_of(cluster) is None


async def test_an_operator_that_does_not_end_keeps_its_nodes(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "LOOK_SECONDS", 0)
    cluster.stays = True
    clock = itertools.count(0, 50)
    with pytest.raises(StillRunningError, match="pods of council-operator are still there"):
        await restore(cluster, OPERATOR, SELECTOR, DIVISION, lambda: float(next(clock)))
    assert label_of(cluster)


def test_without_anything_to_restore_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COUNCIL_GPU_SHARING", raising=False)
    assert main() == 0


def test_a_setting_that_cannot_be_read_fails_the_hook(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("COUNCIL_GPU_SHARING", "{}")
    assert main() == 1
    assert "nodes keep the division of their GPUs" in caplog.text
