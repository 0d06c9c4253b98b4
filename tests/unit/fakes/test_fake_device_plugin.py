import pytest
import yaml

from council_operator.plan.gpu.nodes import read_offers
from council_operator.plan.gpu.words import propose_config
from deliberation.api.v1alpha1.gpu import Gpu, Sharing
from fakes.fake_device_plugin import Division, NoConfigError, choose_key, read_division
from fakes.fake_nodes import fake_gpu_node


@pytest.mark.parametrize(
    ("label", "keys", "chosen"),
    [
        ("four", ["default", "four"], "four"),
        (None, ["default", "four"], "default"),
        (None, ["four"], "four"),
    ],
)
def test_a_node_goes_by_its_label_else_by_the_default_else_by_the_only_key(
    label: str | None, keys: list[str], chosen: str
) -> None:
    assert choose_key(label, keys) == chosen


@pytest.mark.parametrize(("label", "keys"), [("eight", ["default", "four"]), (None, ["four", "two"]), (None, [])])
def test_a_node_without_a_configuration_is_an_error(label: str | None, keys: list[str]) -> None:
    with pytest.raises(NoConfigError):
        choose_key(label, keys)


@pytest.mark.parametrize("resource", ["nvidia.com/gpu", "nvidia.com/gpu.shared"])
def test_what_the_operator_proposes_divides_as_it_says_and_leaves_nodes_without_the_label_whole(resource: str) -> None:
    gpu = Gpu(sharing=Sharing.TIME_SLICING, resource_name=resource)
    config = propose_config(gpu, 3, read_offers([fake_gpu_node()]))
    assert config
    keys = yaml.safe_load(config.text)["data"]
    assert read_division(keys[config.key]) == Division(3, renamed=resource.endswith("shared"))
    assert read_division(keys[choose_key(None, list(keys))]) == Division()
