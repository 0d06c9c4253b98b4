from dataclasses import replace

import pytest

from council_operator.plan.gpu import Placement
from council_operator.plan.gpu_memory import Share
from council_operator.plan.gpu_nodes import Pool
from council_operator.render import gpu
from deliberation.api.v1alpha1.council_models import Sharing

MEMORY = ("nvidia.com/gpu.memory", "24576")
SLICE = Placement(
    Pool("nvidia.com/gpu.shared", Sharing.TIME_SLICING, 24_576, 4, (MEMORY,)), slices=1, share=Share(23, 5652, 2048)
)


def test_both_memory_flags_are_given_when_both_are_known() -> None:
    assert gpu.flags(SLICE) == ["--gpu-memory-utilization=0.23", "--kv-cache-memory-bytes=2147483648"]


@pytest.mark.parametrize(("percent", "share"), [(5, "0.05"), (92, "0.92"), (100, "1.00")])
def test_percents_become_shares_without_floats(percent: int, share: str) -> None:
    unknown = replace(SLICE, share=Share(percent, None, None))
    assert gpu.flags(unknown) == [f"--gpu-memory-utilization={share}"], "vLLM measures what nobody could reckon"


def test_a_model_in_two_parts_asks_for_two_units() -> None:
    both = replace(SLICE, slices=2)
    assert "--tensor-parallel-size=2" in gpu.flags(both)
    assert gpu.limits(both) == {"nvidia.com/gpu.shared": "2"}


def test_a_pod_finds_the_nodes_of_its_pool_also_where_others_are_kept_away() -> None:
    pod = gpu.placement_of_pod(SLICE)
    required = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    expression = {"key": MEMORY[0], "operator": "In", "values": [MEMORY[1]]}
    assert required == {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    assert {one["key"] for one in pod["tolerations"]} == {"nvidia.com/gpu", "nvidia.com/gpu.shared"}
    unlabelled = replace(SLICE, pool=replace(SLICE.pool, selector=()))
    assert "affinity" not in gpu.placement_of_pod(unlabelled)
