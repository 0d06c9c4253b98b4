"""Which model servers sleep: nobody has asked a Council that shares them for as long as all of these allow.

Everything is read from the cluster: that a server sleeps stands on its Deployment, and whether Deliberations are
unfinished in their statuses. An operator that was started anew counts from its start.
"""

from collections.abc import Mapping
from typing import Any

from council_operator.plan import health
from council_operator.plan.gpu import ServerId
from council_operator.plan.observed import Activity, CouncilObserved
from council_operator.plan.roster import find_roster
from council_operator.plan.settings import RenderSettings
from council_operator.render import labels
from deliberation.api.v1alpha1.council_models import VllmModel

Body = dict[str, Any]


def may_sleep(council: Body) -> bool:
    """Return whether a Council declares a server that may sleep, whatever else is wrong with its spec."""
    models = council.get("spec", {}).get("models") or ()
    return any((model.get("vllm") or {}).get("idleSeconds") for model in models)


def is_asleep(deployment: Body | None) -> bool:
    """Return whether a model server was put to sleep and has not been woken."""
    return deployment is not None and labels.annotation(deployment, labels.ASLEEP) is not None


def find_sleepers(observed: CouncilObserved, settings: RenderSettings) -> frozenset[ServerId]:
    """Return the servers that sleep or are to be put to sleep: equal for every Council's loop that looks at them.

    A server sleeps only after it has served: a declaration that cannot come up shows at once, and not at the first
    question.
    """
    live = observed.gpu.deployments if observed.gpu else tuple(observed.deployments.values())
    deployments = {ServerId(body["metadata"]["namespace"], body["metadata"]["name"]): body for body in live}
    sharers: dict[ServerId, list[tuple[int, Activity]]] = {}
    for council in observed.neighbours:
        metadata = council["metadata"]
        activity = observed.activity.get((metadata["namespace"], metadata["name"]), Activity())
        for server, idle_seconds in _declared(council, settings).items():
            sharers.setdefault(server, []).append((idle_seconds, activity))
    return frozenset(
        server
        for server, uses in sharers.items()
        if all(idle_seconds and not activity.unfinished for idle_seconds, activity in uses)
        and _has_idled(deployments.get(server), max(seconds for seconds, _ in uses), uses, observed.now_ms)
    )


def _declared(council: Body, settings: RenderSettings) -> Mapping[ServerId, int]:
    """Return the vLLM servers of a Council with their idle seconds; two models on one server allow what both do."""
    roster = None if health.is_being_deleted(council) else find_roster(council, settings)
    found: dict[ServerId, int] = {}
    for model in roster.spec.models if roster else ():
        if roster and isinstance(model.vllm, VllmModel):
            server = ServerId(council["metadata"]["namespace"], roster.server_of[model.name])
            known = found.get(server, model.vllm.idle_seconds)
            found[server] = max(known, model.vllm.idle_seconds) if known and model.vllm.idle_seconds else 0
    return found


def _has_idled(deployment: Body | None, idle_seconds: int, uses: list[tuple[int, Activity]], now_ms: int) -> bool:
    if deployment is None or health.is_being_deleted(deployment):
        return False
    if is_asleep(deployment):
        return True
    if not health.is_serving(deployment):
        return False
    up_seconds = health.seconds_available(deployment, now_ms)
    return min(up_seconds, *(activity.idle_seconds for _, activity in uses)) >= idle_seconds
