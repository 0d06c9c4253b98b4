"""What a model server's pod says to get its GPUs and no more of their memory than was planned.

A GPU asks for no exception from the restricted Pod Security profile: the device plugin brings devices and libraries
into the container without privileges. MPS serves one user of a node at a time, which all our pods are.
"""

from council_operator.plan.gpu import Placement
from council_operator.plan.gpu_nodes import GPU
from council_operator.render.labels import Body

_MEBIBYTE = 1 << 20


def flags(placement: Placement) -> list[str]:
    """Return vLLM's flags: the share of the device, and the key-value cache where it could be reckoned.

    A given cache size makes vLLM skip its own measurement, which other servers' start-ups on the same GPU would upset.
    """
    share = placement.share
    found = [f"--gpu-memory-utilization={share.utilization_percent // 100}.{share.utilization_percent % 100:02d}"]
    if share.kv_cache_mib is not None:
        found.append(f"--kv-cache-memory-bytes={share.kv_cache_mib * _MEBIBYTE}")
    if placement.slices > 1:
        found.append(f"--tensor-parallel-size={placement.slices}")
    return found


def limits(placement: Placement) -> Body:
    """Return the container's limits: the units."""
    return {placement.pool.resource: str(placement.slices)}


def placement_of_pod(placement: Placement) -> Body:
    """Return where the pod may run: on the nodes of its pool, also on those that are kept free for GPU users."""
    kept_free = {GPU, placement.pool.resource}
    tolerations = [{"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in sorted(kept_free)]
    expressions = [{"key": label, "operator": "In", "values": [value]} for label, value in placement.pool.selector]
    if not expressions:
        return {"tolerations": tolerations}
    terms = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    return {
        "tolerations": tolerations,
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}},
    }
