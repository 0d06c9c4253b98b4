from dataclasses import replace
from typing import Any

import pytest

from council_operator.plan.gpu import Placement, Pool, Share
from council_operator.render import gpu
from deliberation.api.v1alpha1.gpu import Sharing

Body = dict[str, Any]

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
    assert limits_of(gpu.bind(POD, both))["nvidia.com/gpu.shared"] == "2"


def test_slices_of_one_name_are_asked_for_and_none_of_the_other() -> None:
    assert limits_of(gpu.bind(POD, SLICE)) == {"nvidia.com/gpu": "0", "nvidia.com/gpu.shared": "1"}
    usual = replace(SLICE, pool=replace(SLICE.pool, resource="nvidia.com/gpu"))
    assert limits_of(gpu.bind(POD, usual)) == {"nvidia.com/gpu": "1", "nvidia.com/gpu.shared": "0"}
    whole = replace(SLICE, pool=replace(SLICE.pool, resource="nvidia.com/gpu", sharing=Sharing.EXCLUSIVE))
    assert limits_of(gpu.bind(POD, whole)) == {"nvidia.com/gpu": "1"}
    chosen = replace(SLICE, pool=replace(SLICE.pool, resource="example.com/gpu"))
    assert limits_of(gpu.bind(POD, chosen)) == {"example.com/gpu": "1"}


POD: Body = {"containers": [{"name": "vllm"}, {"name": "sidecar"}]}
EXPRESSION = {"key": MEMORY[0], "operator": "In", "values": [MEMORY[1]]}


def limits_of(pod: Body) -> Body:
    limits: Body = pod["containers"][0]["resources"]["limits"]
    return limits


def terms_of(pod: Body) -> Any:
    return pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]


def test_a_pod_finds_the_nodes_of_its_pool_also_where_others_are_kept_away() -> None:
    pod = gpu.bind(POD, SLICE)
    assert terms_of(pod) == [{"matchExpressions": [EXPRESSION]}]
    assert {one["key"] for one in pod["tolerations"]} == {"nvidia.com/gpu", "nvidia.com/gpu.shared"}
    unlabelled = replace(SLICE, pool=replace(SLICE.pool, selector=()))
    assert "affinity" not in gpu.bind(POD, unlabelled)


def test_only_the_server_gets_a_gpu() -> None:
    assert gpu.bind(POD, SLICE)["containers"][1] == {"name": "sidecar"}


def test_a_users_template_takes_no_other_units_and_leaves_the_pool_by_no_term() -> None:
    mine = {"key": "zone", "operator": "In", "values": ["a"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [mine]}, {"matchFields": []}]}
    template = {
        "containers": [{"name": "vllm", "resources": {"limits": {"nvidia.com/gpu.shared": "9", "memory": "8Gi"}}}],
        "affinity": {"podAffinity": {}, "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}},
        "tolerations": [{"key": "team"}],
    }
    pod = gpu.bind(template, SLICE)
    assert limits_of(pod) == {"memory": "8Gi", "nvidia.com/gpu": "0", "nvidia.com/gpu.shared": "1"}
    assert terms_of(pod) == [
        {"matchExpressions": [mine, EXPRESSION]},
        {"matchFields": [], "matchExpressions": [EXPRESSION]},
    ]
    assert "podAffinity" in pod["affinity"]
    assert pod["tolerations"][-1] == {"key": "team"}
