from typing import Any

import pytest

from council_operator.plan.gpu.memory import Need, Share, find_need, find_share, find_shortage
from council_operator.plan.gpu.nodes import GPU, Pool
from deliberation.api.v1alpha1.gpu import Gpu, Sharing
from deliberation.api.v1alpha1.vllm import VllmModel

QUARTER = Pool(GPU, Sharing.TIME_SLICING, 24_576, 4)
WHOLE = Pool(GPU, Sharing.EXCLUSIVE, 24_576)
UNKNOWN = Pool(GPU, Sharing.EXCLUSIVE)
NEED = Need(weights=1200, kv_cache=256, overhead=1536)


def model(size: str | None = None, **gpu: Any) -> tuple[VllmModel, Gpu]:
    body = {"model": "m", "maxModelLen": 8192, "weights": {"size": size} if size else {}, "gpu": gpu}
    declared = VllmModel.model_validate(body)
    assert declared.gpu is not None
    return declared, declared.gpu


def test_a_model_needs_its_weights_one_sequence_and_the_overhead() -> None:
    assert find_need(*model("2Gi"), 1000) == Need(weights=2048, kv_cache=512, overhead=1000)
    assert find_need(*model(), 1000) == Need(weights=None, kv_cache=512, overhead=1000)


def test_parts_share_weights_and_cache_but_each_has_the_overhead() -> None:
    assert find_need(*model("3Gi", slices=2, tensorParallel=2), 1000) == Need(1536, 256, 1000)


def test_a_slice_has_its_share_of_what_may_be_used_of_the_device() -> None:
    assert find_share(Gpu(), QUARTER, NEED) == Share(23, 5652, 5652 - 1200 - 1536)
    assert find_share(Gpu(), WHOLE, NEED).utilization_percent == 92


def test_less_than_the_slice_has_may_be_asked_for_and_not_more() -> None:
    less = Gpu(memory_per_slice="4Gi")
    assert find_share(less, QUARTER, NEED).budget_mib == 24_576 * 16 // 100
    assert find_shortage(less, QUARTER, NEED) is None
    assert find_shortage(Gpu(memory_per_slice="6Gi"), QUARTER, NEED) == (
        "memoryPerSlice asks for 6144 MiB, but a unit of nvidia.com/gpu has 5652 MiB (92% of 24576 MiB in 4 slices)"
    )


def test_weights_that_nobody_declared_leave_the_cache_to_vllm() -> None:
    assert find_share(Gpu(), QUARTER, Need(None, 256, 1536)).kv_cache_mib is None


def test_a_device_of_unknown_size_is_what_was_declared_or_cannot_be_checked() -> None:
    assert find_share(Gpu(), UNKNOWN, NEED) == Share(92, None, None)
    assert find_shortage(Gpu(), UNKNOWN, Need(10**9, 0, 0)) is None
    assert find_share(Gpu(memory_per_slice="8Gi"), UNKNOWN, NEED).budget_mib == 8192
    assert "memoryPerSlice allows 1024 MiB" in str(find_shortage(Gpu(memory_per_slice="1Gi"), UNKNOWN, NEED))


def test_a_shortage_is_told_in_numbers() -> None:
    assert find_shortage(Gpu(), QUARTER, Need(15_000, 256, 1536)) == (
        "it needs 16792 MiB (weights 15000, key-value cache of one sequence 256, overhead 1536), "
        "but a unit of nvidia.com/gpu has 5652 MiB (92% of 24576 MiB in 4 slices)"
    )
    assert "weights unknown" in str(find_shortage(Gpu(), QUARTER, Need(None, 9000, 1536)))
    assert "(92% of 24576 MiB)" in str(find_shortage(Gpu(), WHOLE, Need(99_999, 0, 0)))


@pytest.mark.parametrize(("weights", "fits"), [(5652 - 256 - 1536, True), (5653 - 256 - 1536, False)])
def test_what_just_fits_fits(weights: int, fits: bool) -> None:  # noqa: FBT001 - a case of the table
    assert (find_shortage(Gpu(), QUARTER, Need(weights, 256, 1536)) is None) is fits
