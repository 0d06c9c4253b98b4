import pytest
import yaml

from council_operator.plan.gpu.nodes import SHARED, Offer, Pool, read_offers
from council_operator.plan.gpu.words import DeviceConfig, advise, explain_lack, propose_config
from deliberation.api.v1alpha1.gpu import Gpu, Sharing
from fakes.fake_nodes import fake_gpu_node

SLICED = Gpu(sharing=Sharing.TIME_SLICING)


@pytest.mark.parametrize(("demanded", "replicas"), [(1, 2), (5, 3), (8, 4)])
def test_the_proposed_configuration_gives_as_many_slices_as_are_declared(demanded: int, replicas: int) -> None:
    config = propose_config(SLICED, demanded, read_offers([fake_gpu_node(gpus=2)]))
    assert config is not None
    body = yaml.safe_load(config.text)
    assert (body["kind"], body["metadata"]["namespace"]) == ("ConfigMap", "gpu-operator")
    plugin = yaml.safe_load(body["data"][config.key])
    assert plugin["version"] == "v1"
    assert plugin["sharing"] == {
        "timeSlicing": {"renameByDefault": False, "resources": [{"name": "nvidia.com/gpu", "replicas": replicas}]}
    }


def test_slices_that_are_there_already_are_counted_by_devices() -> None:
    config = propose_config(SLICED, 9, read_offers([fake_gpu_node(gpus=2, replicas=4)]))
    assert config is not None
    assert config.key == "time-slicing-5"


def test_mps_and_renaming_are_configured_as_asked_for() -> None:
    gpu = Gpu(sharing=Sharing.MPS, resource_name=SHARED)
    config = propose_config(gpu, 3, read_offers([fake_gpu_node()]))
    assert config is not None
    assert config.key == "mps-3"
    sharing = yaml.safe_load(yaml.safe_load(config.text)["data"]["mps-3"])["sharing"]
    assert sharing["mps"]["renameByDefault"] is True


@pytest.mark.parametrize(
    "gpu",
    [
        Gpu(),
        Gpu(sharing=Sharing.MIG, resource_name="nvidia.com/mig-1g.10gb"),
        Gpu(sharing=Sharing.TIME_SLICING, resource_name="amd.com/gpu"),
    ],
)
def test_no_configuration_divides_whole_gpus_partitions_or_devices_of_others(gpu: Gpu) -> None:
    assert propose_config(gpu, 4, read_offers([fake_gpu_node()])) is None


def test_no_configuration_makes_gpus_where_there_are_none() -> None:
    assert propose_config(SLICED, 4, ()) is None
    assert "no node offers any GPU: add a node" in told(SLICED, [], [], None)


def test_a_lack_tells_what_each_node_has_and_not_too_much_of_it() -> None:
    offers = read_offers([fake_gpu_node(f"n{index}") for index in range(6)])
    text = told(Gpu(), [(offer.node, 0, offer) for offer in offers], [offers[0].pool], None)
    assert text.startswith("asked for 1 x nvidia.com/gpu with sharing Exclusive; n0 has 0 of 1 left, n1 has 0 of 1")
    assert text.endswith("and 2 more: free some, or add a node")
    other = told(SLICED, [(offers[0].node, 1, offers[0])], [], propose_config(SLICED, 4, offers[:1]))
    assert "n0 has 1 x nvidia.com/gpu Exclusive" in other
    assert "label the nodes nvidia.com/device-plugin.config=time-slicing-4" in other


def test_missing_partitions_are_made_by_another_label() -> None:
    gpu = Gpu(sharing=Sharing.MIG, resource_name="nvidia.com/mig-1g.10gb")
    assert "nvidia.com/mig.config" in told(gpu, [], [], None)


def told(gpu: Gpu, left: list[tuple[str, int, Offer]], fitting: list[Pool], config: DeviceConfig | None) -> str:
    return explain_lack(gpu, left, fitting, advise(gpu, fitting, config))
