"""What is known of a Deliberation's own runner, and what to do when it does not run."""

from typing import Any

from council_operator.plan import health, own_runner, waiting
from council_operator.plan.health import RunnerState
from council_operator.plan.observed import DeliberationObserved
from council_operator.plan.own_runner import ATTEMPTS, SILENT_SECONDS, Attempt
from council_operator.render import names
from council_operator.status.runner import (
    FIRST_BEAT_SECONDS,
    WHAT_TO_ASK_OF_SILENCE,
    explain_end,
    find_pod_fault,
    find_suspension,
)
from deliberation.api.v1alpha1.deliberation_status import OwnRunner, Phase
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.protocol.tasks import Task

Body = dict[str, Any]

Wait = tuple[Reason, str, Phase]


def summarise_own_runner(observed: DeliberationObserved) -> OwnRunner | None:
    """Return the latest RayJob of a Deliberation's own runner; None while there is none."""
    latest = _find_latest(observed)
    return OwnRunner(ray_job=latest.name, attempt=latest.number) if latest else None


def explain_hold(observed: DeliberationObserved) -> str | None:
    """Return who keeps the runner of one that is not admitted yet from starting, or None."""
    latest = _find_latest(observed)
    return find_suspension(latest.name, latest.ray_job) if latest and latest.is_held and latest.ray_job else None


def find_wait(observed: DeliberationObserved, task: Task) -> Wait | None:
    """Return what a run that was admitted waits for; None when its own runner works on it, or it has none.

    One whose runner was lost in the middle keeps the phase that its ledger says; Warming is for one without a start.
    """
    if task.own_runner is None:
        return None
    latest = own_runner.find_latest(observed, task.own_runner)
    if not observed.kuberay_installed:
        text = "the cluster has no RayJob kind any more: install the KubeRay operator, version 1.6 or newer"
        return Reason.KUBERAY_NOT_INSTALLED, text, Phase.WARMING
    if latest is None:
        return (
            Reason.RUNNER_STARTING,
            f"RayJob {names.attempt_name(task.own_runner, 1)} is being created",
            Phase.WARMING,
        )
    if latest.is_over:
        reason = Reason.RUNNER_SILENT if latest.is_silent else Reason.RUNNER_FAILED
        return reason, _explain_retry(observed, latest), Phase.WARMING
    held = find_suspension(latest.name, latest.ray_job or {})
    if held:
        return Reason.RUNNER_SUSPENDED, held, Phase.QUEUED
    return _explain_start(observed, latest)


def explain_failure(observed: DeliberationObserved, task: Task) -> str | None:
    """Return why the runner of a run that is over was given up; None when it was not, or had seen the end."""
    latest = own_runner.find_latest_of(observed, task)
    if latest is None or not own_runner.has_failed(observed, task):
        return None
    return _explain_end(observed, latest, f"it was the last of {ATTEMPTS} attempts")


def _find_latest(observed: DeliberationObserved) -> Attempt | None:
    task, uid = observed.task, observed.body["metadata"]["uid"]
    is_current = task is not None and observed.standing is not None and not observed.standing.suspended
    if task is not None and is_current:
        return own_runner.find_latest_of(observed, task)
    return own_runner.find_latest(observed, names.own_runner_name(uid, waiting.count_suspensions(observed)))


def _explain_retry(observed: DeliberationObserved, latest: Attempt) -> str:
    if latest.number >= ATTEMPTS:
        return _explain_end(
            observed, latest, f"it was the last of {ATTEMPTS} attempts, and what there is is the result"
        )
    follows = f"attempt {latest.number + 1} of {ATTEMPTS} follows, and asks only for what is missing"
    return _explain_end(observed, latest, follows)


def _explain_end(observed: DeliberationObserved, latest: Attempt, follows: str) -> str:
    if latest.ray_job is None or health.is_being_deleted(latest.ray_job):
        return f"RayJob {latest.name} was deleted; {follows}"
    if latest.is_silent:
        text = f"RayJob {latest.name} has run for {SILENT_SECONDS:.0f} s and not taken the question up; {follows}"
        return f"{text}. What to ask: {WHAT_TO_ASK_OF_SILENCE}"
    if health.read_runner(latest.ray_job) is not RunnerState.ENDED:
        return f"RayJob {latest.name} has lost its head pod, and KubeRay has not submitted it again; {follows}"
    return explain_end(latest.name, observed.body["metadata"]["namespace"], latest.ray_job, follows)


def _explain_start(observed: DeliberationObserved, latest: Attempt) -> Wait | None:
    """Return how far a RayJob that is neither held nor over has come; None when it works."""
    name, ray_job = latest.name, latest.ray_job or {}
    fault = find_pod_fault(observed.pods, name, observed.body["metadata"]["namespace"])
    if health.read_runner(ray_job) is not RunnerState.RUNNING:
        text = f"RayJob {name} starts its cluster, which takes some 20 seconds"
        return (Reason.RUNNER_FAILED, fault, Phase.WARMING) if fault else (Reason.RUNNER_STARTING, text, Phase.WARMING)
    if health.has_lost_its_head(ray_job, observed.pods):
        text = f"the head pod of RayJob {name} was lost; KubeRay starts the runner on the next head"
        return Reason.RUNNER_FAILED, text, Phase.WARMING
    if latest.has_taken:
        return None
    if health.seconds_started(ray_job, observed.now_ms) < FIRST_BEAT_SECONDS:
        return Reason.RUNNER_STARTING, f"RayJob {name} runs, and is about to take the question", Phase.WARMING
    text = f"RayJob {name} runs and has not taken the question: {WHAT_TO_ASK_OF_SILENCE}"
    return Reason.RUNNER_SILENT, fault or text, Phase.WARMING
