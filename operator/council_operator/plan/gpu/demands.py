"""What the Councils ask of GPUs and what their Deployments hold, read from the cluster."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from council_operator.plan import health
from council_operator.plan.gpu.division import explain_division
from council_operator.plan.gpu.holdings import read_holding
from council_operator.plan.gpu.nodes import read_offers
from council_operator.plan.gpu.placing import Demand, GpuPlan, ServerId, Stage, plan_gpus
from council_operator.plan.observed import GpuObserved
from council_operator.plan.replicas import find_most
from council_operator.plan.roster import find_roster
from council_operator.plan.settings import RenderSettings
from deliberation.api.v1alpha1.vllm import VllmModel

Body = dict[str, Any]

IN_SIGHT_SECONDS = 2.0
"""Age from which a Deployment is seen by every Council's loop: two that come at once then agree on who is first."""


def plan_observed(
    observed: GpuObserved | None, sleepers: frozenset[ServerId], settings: RenderSettings, now_ms: int
) -> GpuPlan:
    """Return the plan for all Councils; an empty one where none asks for GPUs."""
    if observed is None:
        return GpuPlan()
    deployments = {_id_of(body): body for body in observed.deployments}
    read = _read_demands(observed, deployments, settings, now_ms)
    demands = {
        demand.server: replace(demand, stage=Stage.ASLEEP) if demand.server in sleepers else demand for demand in read
    }
    holdings = [
        holding
        for server, body in deployments.items()
        if (holding := read_holding(body)) and (server in demands or body["spec"].get("replicas"))
    ]
    offers = None if observed.nodes is None else read_offers(observed.nodes)
    division = settings.gpu_division
    told = explain_division(division, observed.nodes) if division and observed.nodes is not None else ""
    return plan_gpus(demands.values(), holdings, offers, settings.gpu_overhead_mib, told)


def asks_for_gpu(council: Body) -> bool:
    """Return whether a Council declares a model server on GPUs, whatever else is wrong with its spec."""
    models = council.get("spec", {}).get("models") or ()
    return any((model.get("vllm") or {}).get("gpu") is not None for model in models)


def _read_demands(
    observed: GpuObserved, deployments: dict[ServerId, Body], settings: RenderSettings, now_ms: int
) -> Iterator[Demand]:
    """Yield each declared server, the first Council's last: it is the one that counts where several declare it."""
    councils = [council for council in observed.councils if not health.is_being_deleted(council)]
    declared = [
        (council, roster)
        for council in sorted(councils, key=_created_ms, reverse=True)
        if (roster := find_roster(council, settings)) is not None
    ]
    most = find_most((council["metadata"]["namespace"], roster) for council, roster in declared)
    for council, roster in declared:
        for server in roster.servers:
            model = server.declaration
            if isinstance(model, VllmModel) and model.gpu:
                name = ServerId(council["metadata"]["namespace"], server.name)
                stage = _read_stage(deployments.get(name), observed.pods, now_ms)
                wanted = model.model_copy(update={"replicas": most[name.namespace, name.name]})
                yield Demand(name, wanted, model.gpu, _created_ms(council), stage)


def _read_stage(deployment: Body | None, pods: tuple[Body, ...], now_ms: int) -> Stage:
    if deployment is None or health.is_being_deleted(deployment):
        return Stage.NEW
    if not deployment["spec"].get("replicas"):
        is_in_sight = health.age_seconds(deployment, now_ms) >= IN_SIGHT_SECONDS
        return Stage.WAITING if is_in_sight else Stage.NEW
    if health.is_serving(deployment):
        return Stage.SERVING
    namespace = deployment["metadata"]["namespace"]
    own = tuple(pod for pod in pods if pod["metadata"].get("namespace") == namespace)
    is_stuck = health.find_trouble(own, deployment["metadata"]["name"]) or health.has_stopped_progressing(deployment)
    return Stage.STUCK if is_stuck else Stage.STARTING


def _created_ms(body: Body) -> int:
    created = body["metadata"].get("creationTimestamp")
    return health.parse_time_ms(created) if created else 0


def _id_of(body: Body) -> ServerId:
    return ServerId(body["metadata"]["namespace"], body["metadata"]["name"])
