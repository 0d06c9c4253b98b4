"""Whether a Council's models have the GPUs that they ask for, with the numbers."""

from council_operator.plan.gpu import GpuPlan, Need, Placement, Refusal, ServerId, find_need
from council_operator.plan.observed import CouncilObserved
from council_operator.plan.roster import Roster
from council_operator.plan.settings import RenderSettings
from council_operator.render import labels
from council_operator.status.conditions import Finding
from deliberation.api.v1alpha1.council_status import GpuPlanStatus, ModelGpuStatus
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.api.v1alpha1.vllm import VllmModel

TYPE = "GPUPlanValid"


def find_gpu_plan(
    observed: CouncilObserved, roster: Roster, gpus: GpuPlan, settings: RenderSettings
) -> tuple[Finding | None, GpuPlanStatus | None]:
    """Return the condition, and the configuration that would help; nothing for a Council without GPUs."""
    verdicts = _verdicts_by_model(observed, roster, gpus)
    if not verdicts:
        return None, None
    refused = {model: given for model, given in verdicts.items() if isinstance(given, Refusal)}
    if not refused:
        message = "; ".join(_explain(model, given, roster, settings) for model, given in verdicts.items())
        if observed.gpu is not None and observed.gpu.nodes is None:
            text = f"not checked, because the operator may not read nodes: {message}"
            return Finding(TYPE, status=True, reason=Reason.GPU_NODES_UNREADABLE, message=text), None
        return Finding(TYPE, status=True, reason=Reason.READY, message=message), None
    first = next(iter(refused.values()))
    message = "; ".join(f"model {model}: {given.message}" for model, given in refused.items())
    config_map = next((given.config_map for given in refused.values() if given.config_map), None)
    plan = GpuPlanStatus(config_map=config_map) if config_map else None
    return Finding(TYPE, status=False, reason=first.reason, message=message), plan


def summarise_gpu(server: str, observed: CouncilObserved, gpus: GpuPlan) -> ModelGpuStatus | None:
    """Return what a server was given, and the node that it runs on."""
    given = gpus.verdicts.get(ServerId(observed.body["metadata"]["namespace"], server))
    if not isinstance(given, Placement):
        return None
    own = [pod for pod in observed.pods if pod["metadata"].get("labels", {}).get(labels.INSTANCE_LABEL) == server]
    nodes = [node for pod in own if (node := pod.get("spec", {}).get("nodeName"))]
    return ModelGpuStatus(
        resource=given.pool.resource,
        slices=given.slices,
        memory_utilization_percent=given.share.utilization_percent,
        node=min(nodes, default=None),
    )


def _verdicts_by_model(observed: CouncilObserved, roster: Roster, gpus: GpuPlan) -> dict[str, Placement | Refusal]:
    namespace = observed.body["metadata"]["namespace"]
    return {
        model: given
        for model, server in roster.server_of.items()
        if (given := gpus.verdicts.get(ServerId(namespace, server))) is not None
    }


def _explain(model: str, given: Placement | Refusal, roster: Roster, settings: RenderSettings) -> str:
    """Return what a model got, in numbers, and what could not be checked."""
    declaration = next(server.declaration for server in roster.servers if server.name == roster.server_of[model])
    if isinstance(given, Refusal) or not isinstance(declaration, VllmModel) or declaration.gpu is None:
        return ""
    need = find_need(declaration, declaration.gpu, settings.gpu_overhead_mib)
    lacking = f"; no GPU for more replicas: {given.lacking}" if given.lacking else ""
    return f"model {model}: {_explain_share(given, need)}{lacking}"


def _explain_share(given: Placement, need: Need) -> str:
    share = given.share
    each = f"{given.replicas} replicas, each " if given.replicas > 1 else ""
    got = f"{each}{given.slices} x {given.pool.resource}, {share.utilization_percent}% of its memory"
    if share.budget_mib is None:
        return f"{got}; whether it fits is not known, because no label nvidia.com/gpu.memory tells how much that is"
    if need.weights is None:
        return f"{got} ({share.budget_mib} MiB); whether the weights fit, vLLM finds out: declare weights.size"
    return f"{got} ({share.budget_mib} MiB, of which it needs {need.total})"
