"""What to do for a Council: bring up what it declares, then take away what it no longer does, in this order."""

from collections.abc import Iterator
from typing import Any

from council_operator.plan import health, idle, succession
from council_operator.plan.actions import Action, Apply, Delete, EnsureTaskConsumer, ObjectReference, Plan, Release
from council_operator.plan.conditions import has_condition
from council_operator.plan.gpu import GpuPlan, Placement, Refusal, ServerId, plan_observed
from council_operator.plan.health import RunnerState
from council_operator.plan.observed import CouncilObserved
from council_operator.plan.replicas import count_replicas
from council_operator.plan.roster import Roster, Server, find_roster
from council_operator.plan.settings import RenderSettings
from council_operator.render import credentials, labels, rayjob, servers, simulated, vllm
from deliberation.api.v1alpha1.council_models import SimulatedModel
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.api.v1alpha1.vllm import VllmModel
from deliberation.protocol.health import Heartbeat

Body = dict[str, Any]

UNREADY_LOOK_SECONDS = 5.0
LISTEN_SECONDS = Heartbeat.SILENT_AFTER_SECONDS
"""No event tells that a runner fell silent, or that a server of somebody else's is out of reach."""

LONGEST_RUN_SECONDS = 86_400 + 60
"""Longest time that a run can live after its admission: the schema's bound of the timeout, and a takeover."""


def plan(observed: CouncilObserved, settings: RenderSettings) -> Plan:
    """Return what to do for a Council.

    A Council that is being deleted needs nothing from us: its children carry it as an owner, and the cluster's garbage
    collector keeps those that another Council owns too. A Council whose spec cannot be carried out keeps what it has.
    """
    settings = settings.at(observed.now_ms)
    roster = find_roster(observed.body, settings)
    if health.is_being_deleted(observed.body) or roster is None:
        return Plan()
    sleepers = idle.find_sleepers(observed, settings)
    gpus = plan_observed(observed.gpu, sleepers, settings, observed.now_ms)
    wanted = list(_render_servers(observed, roster, gpus, sleepers, settings))
    actions: list[Action] = [*_apply_changed(observed, wanted)]
    actions += _plan_runner(observed, roster, settings)
    if _credentials_needed(observed, roster, actions):
        actions = [*_apply_credentials(observed, settings), *actions]
    if observed.bus_fault is None and _consumer_needed(observed, roster):
        actions.append(EnsureTaskConsumer(observed.body["metadata"]["namespace"], roster.runner))
    superseded = _superseded(observed, roster)
    actions += [release for release in superseded if _can_release(release, observed, roster, gpus)]
    look_again_after = _look_again_after(observed, roster)
    if superseded:
        look_again_after = min(look_again_after, UNREADY_LOOK_SECONDS)
    return Plan(tuple(actions), look_again_after)


def is_ready(observed: CouncilObserved, roster: Roster) -> bool:
    """Return whether everything that the Council declares is up: a question could be answered now."""
    return runner_is_up(observed, roster) and all(
        is_up(observed.deployments.get(server.name)) for server in roster.servers
    )


def is_up(server: Body | None) -> bool:
    """Return whether a model server answers, or would if it were woken."""
    return health.is_serving(server) or idle.is_asleep(server)


def runner_is_up(observed: CouncilObserved, roster: Roster) -> bool:
    """Return whether the Council's runner is ready, or would be if it were woken; or whether one could be started."""
    if not roster.keeps_runner:
        return observed.kuberay_installed
    return is_runner_asleep(observed, roster) or runner_is_ready(observed, roster)


def is_runner_asleep(observed: CouncilObserved, roster: Roster) -> bool:
    """Return whether the Council's runner was put to sleep and has not been woken."""
    return health.read_runner(observed.ray_jobs.get(roster.runner)) is RunnerState.ASLEEP


def runner_is_ready(observed: CouncilObserved, roster: Roster) -> bool:
    """Return whether the Council's runner runs and was heard of lately."""
    ray_job = observed.ray_jobs.get(roster.runner)
    return health.read_runner(ray_job) is RunnerState.RUNNING and is_beating(observed)


def is_beating(observed: CouncilObserved) -> bool:
    """Return whether the runner's last heartbeat is recent.

    An operator that has just started has heard none of a runner that lives: until one would be missed, it believes the
    status, so that its own restart makes no Council unready.
    """
    age = observed.heartbeat_age_seconds
    if observed.heartbeat is None or age is None:
        was_ready = has_condition(observed.body, "RunnerReady")
        return was_ready and observed.listening_seconds <= Heartbeat.SILENT_AFTER_SECONDS
    return age <= Heartbeat.SILENT_AFTER_SECONDS


def _render_servers(
    observed: CouncilObserved,
    roster: Roster,
    gpus: GpuPlan,
    sleepers: frozenset[ServerId],
    settings: RenderSettings,
) -> Iterator[Body]:
    """Yield what makes up each model server, but for those that no GPU can be found for."""
    counts = count_replicas(observed, roster, settings)
    for server in roster.servers:
        is_asleep = ServerId(observed.body["metadata"]["namespace"], server.name) in sleepers
        yield from _render_server(server, counts[server.name], observed.body, gpus, settings, is_asleep=is_asleep)


def _render_server(
    server: Server, replicas: int, council: Body, gpus: GpuPlan, settings: RenderSettings, *, is_asleep: bool
) -> tuple[Body, ...]:
    match server.declaration:
        case VllmModel() as model:
            name = ServerId(council["metadata"]["namespace"], server.name)
            given = gpus.verdicts.get(name)
            if model.gpu and not isinstance(given, Placement):
                return ()
            placement = given if isinstance(given, Placement) else None
            may_start = placement is None or name in gpus.may_start
            running = vllm.Running.ASLEEP if is_asleep else vllm.Running.YES if may_start else vllm.Running.NOT_YET
            served = model.model_copy(update={"replicas": placement.replicas if placement else replicas})
            beside = vllm.render_beside(server.name, model, council)
            return *beside, vllm.render_deployment(
                server.name, served, server.image, placement, running, council, settings
            )
        case SimulatedModel() as model:
            deployment = simulated.render_deployment(server.name, model, council, settings)
            return simulated.render_service(server.name, council), deployment


def _apply_changed(observed: CouncilObserved, wanted: list[Body]) -> Iterator[Action]:
    live = {
        "Service": observed.services,
        "Deployment": observed.deployments,
        "PodDisruptionBudget": observed.disruption_budgets,
    }
    for body in wanted:
        if _differs(body, live[body["kind"]].get(body["metadata"]["name"]), observed):
            yield Apply(body, labels.field_manager(observed.body))


def _differs(wanted: Body, live: Body | None, observed: CouncilObserved) -> bool:
    """Return whether a child must be applied: it is not there, not known as ours, rendered otherwise, or was edited.

    One that is being deleted is left alone until it is gone.
    """
    if live is None:
        return True
    if health.is_being_deleted(live):
        return False
    return (
        not labels.is_owned_by(live, observed.body["metadata"]["uid"])
        or any(labels.annotation(live, name) != value for name, value in wanted["metadata"]["annotations"].items())
        or not _holds(live["spec"], wanted["spec"])
    )


def _holds(live: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    """Return whether `live` has everything that `wanted` says; the API server adds defaults of its own.

    Quantities are not compared: the API server rewrites them, and the digest sees a change of ours.
    """
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            key == "resources" or _holds(live.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(_holds, live, wanted))
    return bool(live == wanted)


def _plan_runner(observed: CouncilObserved, roster: Roster, settings: RenderSettings) -> Iterator[Action]:
    """Start the runner, if one is kept, or take an ended one away so that the next look starts another."""
    if not observed.kuberay_installed or not roster.keeps_runner:
        return
    live = observed.ray_jobs.get(roster.runner)
    if live is not None and not health.is_being_deleted(live) and _is_over(live, observed):
        if health.may_start_again(live, observed.body, observed.now_ms):
            yield Delete(_reference(rayjob.API_VERSION, rayjob.KIND, live), live["metadata"]["uid"])
        return
    is_asleep = idle.is_runner_to_sleep(observed, roster, settings)
    wanted = rayjob.render_ray_job(roster.runner, roster.outfit, observed.body, settings, is_asleep=is_asleep)
    if not is_asleep and live is not None and health.is_put_to_sleep(live):
        wanted["spec"]["suspend"] = False
    if _differs({**wanted, "spec": {}}, live, observed):
        yield Apply(wanted, labels.field_manager(observed.body))


def _is_over(ray_job: Body, observed: CouncilObserved) -> bool:
    """Return whether a runner will never take a task again."""
    has_ended = health.read_runner(ray_job) is RunnerState.ENDED
    return has_ended or health.is_forgotten(ray_job, observed.pods, observed.now_ms)


def _apply_credentials(observed: CouncilObserved, settings: RenderSettings) -> Iterator[Action]:
    for body in (
        credentials.render_bus_secret(observed.body, settings),
        credentials.render_models_secret(observed.body, settings),
    ):
        yield Apply(body, labels.field_manager(observed.body))


def _credentials_needed(observed: CouncilObserved, roster: Roster, actions: list[Action]) -> bool:
    """Return whether to write the Secrets, which cannot be read: with what uses them, or when one is missed."""
    if any(isinstance(action, Apply) for action in actions):
        return True
    missed = any(
        probe.reason == Reason.SECRET_MISSING and probe.name in roster.server_of for probe in observed.probes or ()
    )
    instances = (roster.runner, *(server.name for server in roster.servers))
    troubles = [health.find_trouble(observed.pods, instance) for instance in instances]
    stuck = any(trouble and trouble.reason == health.CONFIG_ERROR for trouble in troubles)
    running = health.read_runner(observed.ray_jobs.get(roster.runner)) is RunnerState.RUNNING
    unheard = running and observed.bus_fault is None and not is_beating(observed)
    return missed or stuck or unheard


def _consumer_needed(observed: CouncilObserved, roster: Roster) -> bool:
    """Return whether the runner may lack its consumer: before it beats, and while questions wait to be taken."""
    is_awaited = not is_beating(observed) and not is_runner_asleep(observed, roster)
    return roster.keeps_runner and (is_awaited or observed.runs.untaken > 0)


def _superseded(observed: CouncilObserved, roster: Roster) -> list[Release]:
    """Return the releases of everything that the Council owns and no longer declares."""
    uid = observed.body["metadata"]["uid"]
    kept = {roster.runner, *(name for server in roster.servers for name in server.object_names)}
    return [
        Release(_reference(api_version, kind, child), uid)
        for api_version, kind, children in (
            (rayjob.API_VERSION, rayjob.KIND, observed.ray_jobs),
            ("v1", "Service", observed.services),
            (servers.POLICY_API, "PodDisruptionBudget", observed.disruption_budgets),
            ("apps/v1", "Deployment", observed.deployments),
        )
        for name, child in sorted(children.items())
        if name not in kept and labels.is_owned_by(child, uid) and not health.is_being_deleted(child)
    ]


def _can_release(release: Release, observed: CouncilObserved, roster: Roster, gpus: GpuPlan) -> bool:
    """Return whether nobody uses a superseded child any more.

    What replaces it must be up, and the runs that were admitted before must be over: tasks name the servers, and wait
    for the runner, of their time. A model server that finds no node is given the room of the one it replaces.
    """
    if not succession.may_go(release.reference.name, observed):
        return False
    runs = observed.runs.admitted
    is_in_the_way = succession.is_starved(observed, roster) or (runs == 0 and _lacks_slices(observed, roster, gpus))
    if release.reference.kind != rayjob.KIND and is_in_the_way:
        return True
    return is_ready(observed, roster) and (runs == 0 or _outlived_all_runs(observed, roster))


def _outlived_all_runs(observed: CouncilObserved, roster: Roster) -> bool:
    """Return whether the present declaration is older than any run can be: a busy Council never has a quiet moment.

    One that keeps neither a runner nor a server has nothing that tells; it must have a quiet moment.
    """
    runner = [observed.ray_jobs[roster.runner]] if roster.keeps_runner else []
    wanted = [*runner, *(observed.deployments[server.name] for server in roster.servers)]
    return bool(wanted) and min(health.age_seconds(child, observed.now_ms) for child in wanted) > LONGEST_RUN_SECONDS


def _lacks_slices(observed: CouncilObserved, roster: Roster, gpus: GpuPlan) -> bool:
    """Return whether a model server finds no free GPU: the one it replaces may hold it."""
    namespace = observed.body["metadata"]["namespace"]
    verdicts = [gpus.verdicts.get(ServerId(namespace, server.name)) for server in roster.servers]
    return any(isinstance(given, Refusal) and given.reason is Reason.GPU_SLICES_UNAVAILABLE for given in verdicts)


def _look_again_after(observed: CouncilObserved, roster: Roster) -> float:
    asleep = {name for name, server in roster.server_of.items() if idle.is_asleep(observed.deployments.get(server))}
    is_unasked = observed.probes is None and roster.keeps_runner and not is_runner_asleep(observed, roster)
    is_missed = is_unasked or any(
        probe.reason for probe in observed.probes or () if probe.name.partition("/")[0] not in asleep
    )
    if not is_ready(observed, roster) or observed.bus_fault or is_missed:
        return UNREADY_LOOK_SECONDS
    return LISTEN_SECONDS


def _reference(api_version: str, kind: str, child: Body) -> ObjectReference:
    """Return the reference of a child; items of a list do not carry their kind."""
    return ObjectReference(api_version, kind, child["metadata"]["namespace"], child["metadata"]["name"])
