import logging
from dataclasses import replace
from typing import Any

import pytest

from council_operator.dividing import Divider
from council_operator.plan.actions import ObjectReference
from council_operator.plan.gpu.division import OURS
from council_operator.plan.gpu.words import CONFIG_LABEL
from council_operator.plan.settings import GpuDivision
from fakes.fake_kubernetes import FakeKubernetes
from fakes.fake_nodes import fake_gpu_node

Body = dict[str, Any]

DIVISION = GpuDivision(selector=(("pool", "shared"),), slices=4, config_map="sharing", namespace="gpu-operator")
FOUR = "council-time-slicing-4"
THEIRS = {"default": "version: v1\n"}


def node_of(cluster: FakeKubernetes, name: str = "a") -> Body:
    return cluster.objects[ObjectReference("v1", "Node", "", name)]["metadata"]  # type: ignore[no-any-return]


def keys_of(cluster: FakeKubernetes) -> set[str]:
    return set(cluster.objects[ObjectReference("v1", "ConfigMap", "gpu-operator", "sharing")]["data"])


def events_of(cluster: FakeKubernetes) -> list[tuple[str, str, str]]:
    return [
        (body["metadata"]["namespace"], body["involvedObject"]["name"], body["reason"])
        for reference, body in cluster.objects.items()
        if reference.kind == "Event"
    ]


@pytest.fixture
def cluster() -> FakeKubernetes:
    """Two nodes, one of which is selected, and the device plugin's ConfigMap."""
    cluster = FakeKubernetes()
    for name, pool in (("a", "shared"), ("b", "other")):
        body = fake_gpu_node(name)
        body["metadata"]["labels"]["pool"] = pool
        cluster.put(body)
    metadata = {"name": "sharing", "namespace": "gpu-operator"}
    cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(THEIRS)})
    return cluster


async def test_selected_nodes_are_divided_and_told_by_an_event_and_then_all_is_at_rest(cluster: FakeKubernetes) -> None:
    divider = Divider(cluster, DIVISION)
    assert (await divider.look()).acted
    assert node_of(cluster)["labels"][CONFIG_LABEL] == FOUR
    assert CONFIG_LABEL not in node_of(cluster, "b")["labels"]
    assert keys_of(cluster) == {"default", FOUR}
    assert events_of(cluster) == [("default", "a", "GPUsDivided")]
    writes = len(cluster.writes)
    assert not (await divider.look()).acted
    assert len(cluster.writes) == writes


async def test_restoring_leaves_everything_as_it_was(cluster: FakeKubernetes) -> None:
    before = {name: dict(node_of(cluster, name)["labels"]) for name in "ab"}
    divider = Divider(cluster, DIVISION)
    await divider.look()
    await divider.restore()
    assert {name: node_of(cluster, name)["labels"] for name in "ab"} == before
    assert OURS not in node_of(cluster)["annotations"]
    assert keys_of(cluster) == set(THEIRS)
    assert events_of(cluster)[-1] == ("default", "a", "GPUsReleased")


async def test_a_label_of_somebody_else_survives_us(cluster: FakeKubernetes) -> None:
    node_of(cluster)["labels"][CONFIG_LABEL] = "theirs"
    divider = Divider(cluster, DIVISION)
    await divider.look()
    await divider.restore()
    assert node_of(cluster)["labels"][CONFIG_LABEL] == "theirs"
    assert events_of(cluster) == []


async def test_fewer_slices_move_the_node_to_another_key(cluster: FakeKubernetes) -> None:
    await Divider(cluster, DIVISION).look()
    fewer = Divider(cluster, replace(DIVISION, slices=2))
    assert (await fewer.look()).acted
    assert (await fewer.look()).acted
    assert node_of(cluster)["labels"][CONFIG_LABEL] == "council-time-slicing-2"
    assert keys_of(cluster) == {"default", "council-time-slicing-2"}


async def test_a_config_map_that_is_not_there_is_told_once_and_nothing_is_labelled(
    cluster: FakeKubernetes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    divider = Divider(cluster, replace(DIVISION, config_map="elsewhere"))
    await divider.look()
    await divider.look()
    assert len([record for record in caplog.records if "there is no ConfigMap elsewhere" in record.message]) == 1
    assert CONFIG_LABEL not in node_of(cluster)["labels"]


async def test_a_key_of_ours_that_somebody_else_wrote_is_left_and_no_node_is_labelled(
    cluster: FakeKubernetes, caplog: pytest.LogCaptureFixture
) -> None:
    reference = ObjectReference("v1", "ConfigMap", "gpu-operator", "sharing")
    cluster.objects[reference]["data"][FOUR] = "version: v2\n"
    assert not (await Divider(cluster, DIVISION).look()).acted
    assert cluster.objects[reference]["data"][FOUR] == "version: v2\n"
    assert CONFIG_LABEL not in node_of(cluster)["labels"]
    assert "is left as it is" in caplog.text
