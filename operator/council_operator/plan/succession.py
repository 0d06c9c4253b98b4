"""Succession: who answers while a declared server comes up, and when the one that it replaces may go.

A changed declaration makes another server beside the old one. Until the new one answers, questions are put to the old
one: the Council's status names it, and admission goes by the status. So the old one stays as long as the status names
it, and a little longer, because somebody may have read the status just before.
"""

from typing import Any

from council_operator.plan import health
from council_operator.plan.gpu import GpuPlan, Refusal, ServerId
from council_operator.plan.observed import CouncilObserved
from council_operator.plan.roster import Roster, model_of
from council_operator.render import labels
from deliberation.protocol.tasks import ModelAddress

Body = dict[str, Any]

STARVED_AFTER_SECONDS = 120.0
"""A new server that found no node for so long needs the room of the one it replaces."""

SETTLED_AFTER_SECONDS = 5.0
"""Time in which whoever acts on an older status of a Council has done so."""


def find_predecessors(observed: CouncilObserved, roster: Roster, gpus: GpuPlan) -> dict[str, Body]:
    """Return, by model, what the status says of a former server that still answers in place of the declared one.

    It must do what the members want of the declared one: be as real, and have their adapters. It is none while the new
    server needs its room.
    """
    if is_in_the_way(observed, roster, gpus):
        return {}
    return {
        entry["name"]: entry
        for entry in _reported(observed.body)
        if entry["name"] in roster.server_of and _can_stand_in(entry, observed, roster)
    }


def is_in_the_way(observed: CouncilObserved, roster: Roster, gpus: GpuPlan) -> bool:
    """Return whether a declared server finds no node, or no GPU: one that it replaces may hold the room."""
    return is_starved(observed, roster) or _is_refused(observed, roster, gpus)


def is_starved(observed: CouncilObserved, roster: Roster) -> bool:
    """Return whether a model server has found no node for a while."""
    troubles = [health.find_trouble(observed.pods, server.name) for server in roster.servers]
    return any(
        trouble.reason == health.UNSCHEDULABLE
        and trouble.since_ms is not None
        and observed.now_ms - trouble.since_ms > STARVED_AFTER_SECONDS * 1000
        for trouble in troubles
        if trouble
    )


def find_address(address: ModelAddress, council: Body, roster: Roster) -> ModelAddress:
    """Return where seats find a model now: at the declared server, or at the one that the status still names."""
    model = model_of(address)
    entry = next((one for one in _reported(council) if one["name"] == model), {})
    if not entry.get("deployment") or entry["deployment"] == roster.server_of.get(model):
        return address
    found: Body = {"base_url": entry["endpoint"], "replicas_url": None, "revision": entry.get("revision")}
    if address.name == model:
        found["model_name"] = entry["modelName"]
    return address.model_copy(update=found)


def may_go(server: str, observed: CouncilObserved) -> bool:
    """Return whether nobody is sent to a former server any more."""
    return has_settled(observed) and all(entry.get("deployment") != server for entry in _reported(observed.body))


def has_settled(observed: CouncilObserved) -> bool:
    """Return whether everybody knows how the Council stands: it has been as ready, or as busy, for a while."""
    times = [
        condition["lastTransitionTime"]
        for condition in observed.body.get("status", {}).get("conditions", ())
        if condition["type"] in {"Ready", "Reconciling"}
    ]
    return all(observed.now_ms - health.parse_time_ms(time) >= SETTLED_AFTER_SECONDS * 1000 for time in times)


def _reported(council: Body) -> list[Body]:
    return list(council.get("status", {}).get("models", ()))


def _can_stand_in(entry: Body, observed: CouncilObserved, roster: Roster) -> bool:
    name, server = entry["name"], entry.get("deployment")
    deployment = observed.deployments.get(server or "")
    if deployment is None or server == roster.server_of[name]:
        return False
    adapters = {member.adapter for member in roster.spec.members if member.model_ref == name and member.adapter}
    simulated = any(address.simulated for address in roster.models if address.name == name)
    return (
        labels.is_owned_by(deployment, observed.body["metadata"]["uid"])
        and health.is_serving(deployment)
        and adapters <= set(entry.get("adapters", ()))
        and entry.get("simulated", False) == simulated
    )


def _is_refused(observed: CouncilObserved, roster: Roster, gpus: GpuPlan) -> bool:
    namespace = observed.body["metadata"]["namespace"]
    return any(isinstance(gpus.verdicts.get(ServerId(namespace, server.name)), Refusal) for server in roster.servers)
