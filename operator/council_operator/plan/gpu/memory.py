"""Whether a model fits into a slice: weights, key-value cache of one sequence and overhead against the budget, in MiB.

vLLM takes `--gpu-memory-utilization` as a share of the whole device, also on a slice, and 0.92 of it by default. Slices
of one device are not told apart: whichever pods meet on it, their budgets together stay within that share.
"""

from dataclasses import dataclass

from council_operator.plan.gpu.nodes import Pool
from deliberation.api.v1alpha1.base import mebibytes
from deliberation.api.v1alpha1.gpu import Gpu
from deliberation.api.v1alpha1.vllm import VllmModel

USABLE_PERCENT = 92

KV_CACHE_KIB_PER_TOKEN = 64
"""Least key-value cache of one token that is reckoned with. Models differ, from 12 KiB for the smallest to 320 KiB for
Llama 70B in bfloat16 (2 x layers x key-value heads x head size x 2 bytes); which, only vLLM knows, when it loads."""


@dataclass(frozen=True)
class Need:
    """Memory that one part of a model needs of one unit, in MiB; `weights` is None where nobody declared it."""

    weights: int | None
    kv_cache: int
    overhead: int

    @property
    def total(self) -> int:
        """Return the sum of what is known."""
        return (self.weights or 0) + self.kv_cache + self.overhead


@dataclass(frozen=True)
class Share:
    """What a server may use of one unit.

    Attributes:
        utilization_percent: of the whole device.
        budget_mib: the same in MiB; None where nobody knows the device's memory.
        kv_cache_mib: what is left for the key-value cache; None where that cannot be reckoned, and vLLM measures it.
    """

    utilization_percent: int
    budget_mib: int | None
    kv_cache_mib: int | None


def find_need(model: VllmModel, gpu: Gpu, overhead_mib: int) -> Need:
    """Return what each of the model's parts needs, at least."""
    parts = gpu.tensor_parallel
    weights = mebibytes(model.weights.size) if model.weights.size else None
    kv_cache = model.max_model_len * KV_CACHE_KIB_PER_TOKEN // 1024
    return Need(
        weights=None if weights is None else _divide_up(weights, parts),
        kv_cache=_divide_up(kv_cache, parts),
        overhead=overhead_mib,
    )


def find_share(gpu: Gpu, pool: Pool, need: Need) -> Share:
    """Return what a server gets of one unit of a pool: as much as a slice has, or less if less was asked for."""
    percent = USABLE_PERCENT // pool.replicas
    asked = mebibytes(gpu.memory_per_slice) if gpu.memory_per_slice else None
    if pool.memory_mib:
        if asked is not None:
            percent = min(percent, asked * 100 // pool.memory_mib)
        budget: int | None = pool.memory_mib * percent // 100
    else:
        budget = asked
    is_known = budget is not None and need.weights is not None
    kv_cache = (budget or 0) - (need.weights or 0) - need.overhead if is_known else None
    return Share(percent, budget, kv_cache)


def find_shortage(gpu: Gpu, pool: Pool, need: Need) -> str | None:
    """Return why the model does not fit into a unit of the pool, in numbers; None when it fits or nobody can tell."""
    most = pool.memory_mib * (USABLE_PERCENT // pool.replicas) // 100
    unit = f"a unit of {pool.resource} has {most} MiB ({USABLE_PERCENT}% of {pool.memory_mib} MiB" + (
        f" in {pool.replicas} slices)" if pool.replicas > 1 else ")"
    )
    asked = mebibytes(gpu.memory_per_slice) if gpu.memory_per_slice else None
    if pool.memory_mib and asked is not None and asked > most:
        return f"memoryPerSlice asks for {asked} MiB, but {unit}"
    budget = find_share(gpu, pool, need).budget_mib
    if budget is None or need.total <= budget:
        return None
    weights = "weights unknown" if need.weights is None else f"weights {need.weights}"
    parts = f"{weights}, key-value cache of one sequence {need.kv_cache}, overhead {need.overhead}"
    limit = f"memoryPerSlice allows {budget} MiB" if asked is not None else unit
    return f"it needs {need.total} MiB ({parts}), but {limit}"


def _divide_up(amount: int, parts: int) -> int:
    return -(-amount // parts)
