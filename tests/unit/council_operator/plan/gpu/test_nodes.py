from typing import Any

import pytest

from council_operator.plan.gpu.nodes import GPU, SHARED, Pool, read_offers
from deliberation.api.v1alpha1.gpu import Gpu, Sharing
from fakes.fake_nodes import fake_gpu_node

Body = dict[str, Any]


def pool_of(**fields: Any) -> Pool:
    (offer,) = read_offers([fake_gpu_node(**fields)])
    return offer.pool


def test_a_node_offers_its_slices_with_what_its_labels_tell_of_the_device() -> None:
    (offer,) = read_offers([fake_gpu_node("a", gpus=2, replicas=4)])
    assert (offer.node, offer.slices) == ("a", 8)
    assert (offer.pool.memory_mib, offer.pool.replicas) == (24_576, 4)


@pytest.mark.parametrize(
    ("fields", "sharing"),
    [
        ({}, Sharing.EXCLUSIVE),
        ({"replicas": 4}, Sharing.TIME_SLICING),
        ({"replicas": 4, "resource": SHARED}, Sharing.TIME_SLICING),
        ({"replicas": 4, "strategy": "mps"}, Sharing.MPS),
        ({"resource": "nvidia.com/mig-1g.10gb"}, Sharing.MIG),
        ({"resource": "nvidia.com/mig-1g.10gb", "replicas": 2}, Sharing.TIME_SLICING),
    ],
)
def test_how_a_device_is_divided(fields: Body, sharing: Sharing) -> None:
    assert pool_of(**fields).sharing is sharing


def test_a_device_of_one_mig_profile_goes_by_the_plain_name() -> None:
    node = fake_gpu_node()
    node["metadata"]["labels"] |= {"nvidia.com/mig.strategy": "single", "nvidia.com/gpu.product": "A100-MIG-1g.5gb"}
    assert read_offers([node])[0].pool.sharing is Sharing.MIG


def test_nodes_are_alike_whose_devices_are_alike() -> None:
    pools = {offer.pool for offer in read_offers([fake_gpu_node("a"), fake_gpu_node("b", gpus=8)])}
    assert len(pools) == 1
    assert pool_of() != pool_of(memory_mib=16_384)


def test_a_node_without_labels_offers_gpus_of_unknown_size() -> None:
    node = {"metadata": {"name": "a"}, "status": {"allocatable": {GPU: "2", "cpu": "4", "pods": "110"}}}
    (offer,) = read_offers([node])
    assert offer.pool == Pool(GPU, Sharing.EXCLUSIVE)
    assert offer.slices == 2


@pytest.mark.parametrize("quantity", ["0", "", "many", "1500m"])
def test_a_node_without_whole_units_offers_none(quantity: str) -> None:
    assert read_offers([{"metadata": {"name": "a"}, "status": {"allocatable": {GPU: quantity}}}]) == ()
    assert read_offers([{"metadata": {"name": "a"}}]) == ()


def test_devices_of_other_makers_are_offered_and_resources_of_kubernetes_are_not() -> None:
    allocatable = {"amd.com/gpu": "1", "hugepages-1Gi": "1", "node.kubernetes.io/x": "1"}
    (offer,) = read_offers([{"metadata": {"name": "a"}, "status": {"allocatable": allocatable}}])
    assert offer.pool.resource == "amd.com/gpu"


def test_a_named_resource_is_the_only_one_that_answers() -> None:
    renamed = pool_of(replicas=4, resource=SHARED)
    assert renamed.answers(Gpu(sharing=Sharing.TIME_SLICING))
    assert not renamed.answers(Gpu(sharing=Sharing.TIME_SLICING, resource_name=GPU))
    assert not renamed.answers(Gpu(sharing=Sharing.MPS))
    assert not pool_of(replicas=4).answers(Gpu())
