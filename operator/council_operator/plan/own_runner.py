"""A Deliberation's own runner: one RayJob after the other, until its question is answered or there were ATTEMPTS.

All of them take the same task, and each goes on from the ledger, so only what is missing is asked again. How many there
were is read from the cluster: RayJobs that ended stay as long as their Deliberation. Its status remembers the latest,
should somebody delete that one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from council_operator.plan import health
from council_operator.plan.actions import (
    Action,
    Apply,
    Delete,
    EmitEvent,
    EnsureTaskConsumer,
    ObjectReference,
    Plan,
    RemoveTaskConsumer,
)
from council_operator.plan.health import RunnerState
from council_operator.plan.observed import DeliberationObserved
from council_operator.plan.roster import find_roster
from council_operator.plan.settings import RenderSettings
from council_operator.render import credentials, labels, names, rayjob
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.protocol.entries import Start
from deliberation.protocol.tasks import Task

Body = dict[str, Any]

ATTEMPTS = 3
PAUSES_SECONDS = (10.0, 60.0)
"""How long after each RayJob's end the next one follows: what ails a cluster may pass."""

SILENT_SECONDS = 120.0
"""How long an attempt may run without taking its question up. The bus delivers that of a lost one within half a minute.

A driver that hangs neither ends nor takes anything, and one that does not reach the bus tells nobody.
"""

START_LOOK_SECONDS = 5.0
"""No event tells what keeps a pod from starting."""

LOOK_SECONDS = 600.0
"""An event tells that a RayJob runs, or is held no more."""


@dataclass(frozen=True)
class Attempt:
    """The latest RayJob of a Deliberation's own runner.

    Attributes:
        ray_job: None when somebody has deleted it.
        is_over: it is not waited for any more.
        has_taken: its driver has taken the question up.
        patience_ends_ms: when it is given up unless it has taken the question by then; None while Ray does not run it.
    """

    name: str
    number: int
    ray_job: Body | None
    is_over: bool
    has_taken: bool = False
    patience_ends_ms: int | None = None

    @property
    def is_silent(self) -> bool:
        """Return whether it was given up though it runs, because it has not taken the question."""
        return self.is_over and self.patience_ends_ms is not None

    @property
    def is_held(self) -> bool:
        """Return whether Kueue, or somebody else, keeps it from running."""
        return not self.is_over and self.ray_job is not None and bool(self.ray_job.get("spec", {}).get("suspend"))

    @property
    def has_succeeded(self) -> bool:
        """Return whether its driver ended by itself, as it does when it has seen its task to the end."""
        status = self.ray_job.get("status", {}) if self.ray_job else {}
        return (status.get("jobDeploymentStatus"), status.get("jobStatus")) == ("Complete", "SUCCEEDED")


def find_latest(observed: DeliberationObserved, own_runner: str) -> Attempt | None:
    """Return the runner's latest RayJob; None when there was none.

    Before a task is published nobody has seen an attempt fail, so none is remembered.
    """
    numbers = {names.find_attempt(own_runner, name): name for name in observed.ray_jobs}
    latest = max((number for number in numbers if number), default=0)
    remembered = _remember(observed, own_runner)
    if remembered > latest:
        return Attempt(names.attempt_name(own_runner, remembered), remembered, None, is_over=True)
    if not latest:
        return None
    return _read(numbers[latest], latest, observed)


def find_latest_of(observed: DeliberationObserved, task: Task) -> Attempt | None:
    """Return the latest RayJob that works on a task; None of a task that is for the Council's runner."""
    return find_latest(observed, task.own_runner) if task.own_runner else None


def is_given_up(observed: DeliberationObserved, task: Task) -> bool:
    """Return whether the last attempt at a task is over, so that nobody takes it up again."""
    latest = find_latest_of(observed, task)
    return observed.kuberay_installed and latest is not None and latest.is_over and latest.number >= ATTEMPTS


def has_failed(observed: DeliberationObserved, task: Task) -> bool:
    """Return whether a run ended because its runner was given up, and not by its last driver's own word."""
    latest = find_latest_of(observed, task)
    return is_given_up(observed, task) and latest is not None and not latest.has_succeeded


def seconds_until_next(latest: Attempt, now_ms: int) -> float:
    """Return how long to wait before the next attempt, in seconds; 0 when it may begin now."""
    end = (latest.ray_job or {}).get("status", {}).get("endTime")
    end_ms = health.parse_time_ms(end) if end else latest.patience_ends_ms
    return 0.0 if end_ms is None else max(0.0, PAUSES_SECONDS[latest.number - 1] - (now_ms - end_ms) / 1000)


def admit(
    observed: DeliberationObserved, own_runner: str, publish: tuple[Action, ...], settings: RenderSettings
) -> Plan:
    """Publish a task and start its runner; where Kueue has a say, start it first, and wait for its quota.

    So nobody's time runs while the RayJob is held; that it is can be seen only when it is there.
    """
    latest = find_latest(observed, own_runner)
    if latest is not None and latest.is_held:
        return Plan(look_again_after=LOOK_SECONDS)
    if latest is not None:
        return Plan((*_equip(observed, own_runner, settings), *publish))
    start = _start(observed, own_runner, 1, settings)
    if observed.council and labels.kueue_labels(observed.council):
        return Plan(tuple(start))
    return Plan((*publish, *start), START_LOOK_SECONDS)


def keep_going(observed: DeliberationObserved, own_runner: str, settings: RenderSettings) -> Plan:
    """Start the next RayJob when the latest is over, after a pause; also the first, should it be missing."""
    if not observed.kuberay_installed:
        return Plan(look_again_after=START_LOOK_SECONDS)
    latest = find_latest(observed, own_runner)
    if latest is None:
        return Plan(tuple(_start(observed, own_runner, 1, settings)), START_LOOK_SECONDS)
    if not latest.is_over and latest.patience_ends_ms is not None:
        return Plan(look_again_after=(latest.patience_ends_ms - observed.now_ms) / 1000)
    if not latest.is_over:
        is_awaited = not latest.is_held and health.read_runner(latest.ray_job) is not RunnerState.RUNNING
        return Plan(look_again_after=START_LOOK_SECONDS if is_awaited else LOOK_SECONDS)
    seconds = seconds_until_next(latest, observed.now_ms)
    if seconds:
        return Plan(look_again_after=seconds)
    start = tuple(_start(observed, own_runner, latest.number + 1, settings))
    if latest.is_silent:
        reason, what = Reason.RUNNER_SILENT, f"has not taken the question up in {SILENT_SECONDS:.0f} s"
    else:
        reason, what = Reason.RUNNER_FAILED, "is over and the question is not answered"
    tell = (EmitEvent("Warning", reason, f"RayJob {latest.name} {what}: another one follows"),) if start else ()
    return Plan((*stop(observed), *start, *tell), START_LOOK_SECONDS)


def stop(observed: DeliberationObserved) -> Iterator[Delete]:
    """Delete every RayJob that has not ended: a deadline alone stops none, and a driver may hang."""
    for body in observed.ray_jobs.values():
        if health.read_runner(body) is not RunnerState.ENDED and not health.is_being_deleted(body):
            metadata = body["metadata"]
            reference = ObjectReference(rayjob.API_VERSION, rayjob.KIND, metadata["namespace"], metadata["name"])
            yield Delete(reference, metadata["uid"])


def stop_silent(observed: DeliberationObserved, task: Task) -> Iterator[Delete]:
    """Delete the RayJob of a run that is over without it: it would not end by itself, however well the run ended."""
    latest = find_latest_of(observed, task)
    if latest is not None and latest.is_silent:
        yield from stop(observed)


def dismiss(task: Task | None) -> Iterator[RemoveTaskConsumer]:
    """Remove what the bus keeps for a runner that is to take no task any more."""
    if task and task.own_runner:
        yield RemoveTaskConsumer(task.namespace, task.own_runner)


def _remember(observed: DeliberationObserved, own_runner: str) -> int:
    """Return how many attempts at the present task the status tells of."""
    if observed.task is None or observed.task.own_runner != own_runner:
        return 0
    known = observed.body.get("status", {}).get("runner", {}).get("rayJob", "")
    return names.find_attempt(own_runner, known) or 0


def _read(name: str, number: int, observed: DeliberationObserved) -> Attempt:
    """Return what became of a RayJob: it has ended, or is lost, or has run too long without taking the question."""
    ray_job = observed.ray_jobs[name]
    has_taken = _has_taken(ray_job, observed)
    if health.read_runner(ray_job) is RunnerState.ENDED or health.is_being_deleted(ray_job):
        return Attempt(name, number, ray_job, is_over=True, has_taken=has_taken)
    if health.has_lost_its_head(ray_job, observed.pods):
        is_over = health.is_forgotten(ray_job, observed.pods, observed.now_ms)
        return Attempt(name, number, ray_job, is_over, has_taken)
    ends_ms = None if has_taken else _find_end_of_patience_ms(ray_job, observed)
    return Attempt(name, number, ray_job, ends_ms is not None and observed.now_ms >= ends_ms, has_taken, ends_ms)


def _has_taken(ray_job: Body, observed: DeliberationObserved) -> bool:
    """Return whether a RayJob's driver has taken the question up: each begins with a word in the ledger.

    Its clock is Ray's, both being in the head's pod; KubeRay's may differ.
    """
    since_ms = health.find_start_in_ray_ms(ray_job) or health.find_start_ms(ray_job) or 0
    starts = (record.entry for record in observed.ledger if isinstance(record.entry, Start))
    return any(start.at_ms >= since_ms for start in starts)


def _find_end_of_patience_ms(ray_job: Body, observed: DeliberationObserved) -> int | None:
    """Return until when a RayJob may leave its question alone; None unless Ray runs its driver and there is a task."""
    started_ms = health.find_start_in_ray_ms(ray_job)
    if started_ms is None or observed.task is None or health.read_runner(ray_job) is not RunnerState.RUNNING:
        return None
    return max(started_ms, observed.task.started_at_ms) + round(SILENT_SECONDS * 1000)


def _start(observed: DeliberationObserved, own_runner: str, number: int, settings: RenderSettings) -> Iterator[Action]:
    """Yield what starts a RayJob, as the Council declares runners now; nothing while there is no such Council."""
    council = observed.council
    roster = find_roster(council, settings) if council else None
    if council is None or roster is None:
        return
    yield from _equip(observed, own_runner, settings)
    body = rayjob.render_attempt(own_runner, number, roster.outfit, council, observed.body, settings)
    yield Apply(body, labels.field_manager(observed.body))


def _equip(observed: DeliberationObserved, own_runner: str, settings: RenderSettings) -> Iterator[Action]:
    """Yield what a runner needs before it starts: its consumer, and today's credentials, good for all its life."""
    council = observed.council
    if council is None:
        return
    settings = settings.at(observed.now_ms)
    yield EnsureTaskConsumer(council["metadata"]["namespace"], own_runner)
    for body in (credentials.render_bus_secret(council, settings), credentials.render_models_secret(council, settings)):
        yield Apply(body, labels.field_manager(council))
