"""What a model server's pod says to get its GPUs and no more of their memory than was planned.

A GPU asks for no exception from the restricted Pod Security profile: the device plugin brings devices and libraries
into the container without privileges. MPS serves one user of a node at a time, which all our pods are.
"""

from council_operator.plan.gpu import GPU, Placement
from council_operator.plan.gpu.nodes import DEFAULT_RESOURCES
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


def bind(pod: Body, placement: Placement) -> Body:
    """Return the pod spec with its units and its pool, whatever a user's template says of them.

    Nodes that are kept free for GPU users are tolerated. A term of the user's node affinity narrows the pool further.
    """
    kept_free = sorted({GPU, placement.pool.resource})
    tolerations = [{"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in kept_free]
    bound = {**pod, "tolerations": [*tolerations, *pod.get("tolerations", ())]}
    server, *others = pod["containers"]
    bound["containers"] = [_with_units(server, placement), *others]
    expressions = [{"key": label, "operator": "In", "values": [value]} for label, value in placement.pool.selector]
    return {**bound, "affinity": _narrow(pod.get("affinity", {}), expressions)} if expressions else bound


def _with_units(container: Body, placement: Placement) -> Body:
    """Return the container with its units as a limit; for extended resources the request follows.

    Slices may come to be called otherwise. That none is asked for under the other name is stated, and not left out: by
    server-side apply a Council cannot take away what another one, which may long be gone, has asked for.
    """
    resources, wanted = container.get("resources", {}), placement.pool.resource
    names = DEFAULT_RESOURCES[placement.pool.sharing]
    units = {wanted: str(placement.slices)}
    if wanted in names:
        units = dict.fromkeys(names, "0") | units
    kept = {
        part: {name: value for name, value in resources.get(part, {}).items() if name not in units}
        for part in ("requests", "limits")
    }
    return {**container, "resources": {**resources, **kept, "limits": {**kept["limits"], **units}}}


def _narrow(affinity: Body, expressions: list[Body]) -> Body:
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    nodes = affinity.get("nodeAffinity", {})
    terms = nodes.get(required, {}).get("nodeSelectorTerms") or [{}]
    narrowed = [{**term, "matchExpressions": [*term.get("matchExpressions", ()), *expressions]} for term in terms]
    return {**affinity, "nodeAffinity": {**nodes, required: {"nodeSelectorTerms": narrowed}}}
