"""Which model servers and runners sleep: nobody has asked a Council that shares them for as long as all of these allow.

Everything is read from the cluster: that one sleeps stands on its Deployment or RayJob, and whether Deliberations are
unfinished in their statuses. An operator that was started anew counts from its start.
"""

from collections.abc import Mapping
from typing import Any

from council_operator.plan import health
from council_operator.plan.gpu import ServerId
from council_operator.plan.health import RunnerState
from council_operator.plan.observed import Activity, CouncilObserved
from council_operator.plan.roster import Roster, find_roster
from council_operator.plan.settings import RenderSettings
from council_operator.render import labels
from deliberation.api.v1alpha1.vllm import VllmModel

Body = dict[str, Any]


def may_sleep(council: Body) -> bool:
    """Return whether a Council declares a server or a runner that may sleep, whatever else is wrong with its spec."""
    spec = council.get("spec", {})
    models, runner = spec.get("models") or (), spec.get("runner") or {}
    return bool(runner.get("idleSeconds")) or any((model.get("vllm") or {}).get("idleSeconds") for model in models)


def is_asleep(deployment: Body | None) -> bool:
    """Return whether a model server was put to sleep and has not been woken."""
    return deployment is not None and labels.annotation(deployment, labels.ASLEEP) == "true"


def find_sleepers(observed: CouncilObserved, settings: RenderSettings) -> frozenset[ServerId]:
    """Return the servers that sleep or are to be put to sleep: equal for every Council's loop that looks at them.

    A server sleeps only after it has served: a declaration that cannot come up shows at once, and not at the first
    question.
    """
    live = observed.gpu.deployments if observed.gpu else tuple(observed.deployments.values())
    deployments = {ServerId(body["metadata"]["namespace"], body["metadata"]["name"]): body for body in live}
    sharers: dict[ServerId, list[tuple[int, Activity]]] = {}
    for council in observed.neighbours:
        for server, idle_seconds in _declared(council, settings).items():
            sharers.setdefault(server, []).append((idle_seconds, _activity(council, observed)))
    return frozenset(
        server
        for server, uses in sharers.items()
        if all(idle_seconds and not activity.unfinished for idle_seconds, activity in uses)
        and _has_idled(deployments.get(server), max(seconds for seconds, _ in uses), uses, observed.now_ms)
    )


def is_runner_to_sleep(observed: CouncilObserved, roster: Roster, settings: RenderSettings) -> bool:
    """Return whether a Council's runner sleeps or is to be put to sleep: equal for every Council that shares it.

    One that a Council still owns which has moved on to another may have its run in work. One that somebody has put into
    a queue of Kueue's is not ours to suspend.
    """
    ray_job = observed.ray_jobs.get(roster.runner)
    if ray_job is None or health.is_being_deleted(ray_job) or labels.KUEUE_LABELS[0] in ray_job["metadata"]["labels"]:
        return False
    sharers = [one for one in observed.neighbours if _shares_runner(one, observed, roster, settings)]
    uids = {one["metadata"]["uid"] for one in sharers}
    if not sharers or any(owner["uid"] not in uids for owner in ray_job["metadata"].get("ownerReferences", ())):
        return False
    allowed = [int(one["spec"].get("runner", {}).get("idleSeconds", 0)) for one in sharers]
    uses = [_activity(one, observed) for one in sharers]
    if not all(allowed) or any(use.unfinished for use in uses):
        return False
    match health.read_runner(ray_job):
        case RunnerState.ASLEEP:
            return True
        case RunnerState.RUNNING:
            started = health.seconds_started(ray_job, observed.now_ms)
            return min(started, *(use.idle_seconds for use in uses)) >= max(allowed)
        case _:
            return False


def _shares_runner(council: Body, observed: CouncilObserved, roster: Roster, settings: RenderSettings) -> bool:
    """Return whether a Council declares the runner of the observed one, or is that one."""
    if council["metadata"]["namespace"] != observed.body["metadata"]["namespace"] or health.is_being_deleted(council):
        return False
    other = find_roster(council, settings)
    return other is not None and other.runner == roster.runner


def _activity(council: Body, observed: CouncilObserved) -> Activity:
    return observed.activity.get((council["metadata"]["namespace"], council["metadata"]["name"]), Activity())


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
