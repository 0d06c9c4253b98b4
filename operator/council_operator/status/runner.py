"""What is known of a Council's runner, and what to do when it does not run."""

from typing import Any

from council_operator.plan import council as council_plan
from council_operator.plan import health
from council_operator.plan.health import RunnerState
from council_operator.plan.observed import CouncilObserved
from council_operator.plan.roster import Roster
from council_operator.render import labels
from council_operator.status.conditions import Finding, format_time, shorten
from deliberation.api.v1alpha1.council_status import RunnerStatus
from deliberation.api.v1alpha1.reasons import Reason

Body = dict[str, Any]

TYPE = "RunnerReady"
NONE_KEPT = "each Deliberation gets a runner of its own, so none waits for it"
FIRST_BEAT_SECONDS = 60.0
"""How long a runner may run before its first heartbeat without being called silent."""

WHAT_TO_ASK_OF_SILENCE = (
    "can its head pod reach NATS? Its log is /tmp/ray/session_latest/logs/job-driver-*.log in that pod"
)


def summarise_runner(observed: CouncilObserved, roster: Roster) -> tuple[RunnerStatus | None, Finding]:
    """Return the runner's RayJob as it stands, where one is kept, and the condition."""
    if not roster.keeps_runner:
        return None, _find_kuberay(observed) or Finding(TYPE, status=True, reason=Reason.READY, message=NONE_KEPT)
    status = observed.ray_jobs.get(roster.runner, {}).get("status", {})
    summary = RunnerStatus(
        ray_job=roster.runner,
        ray_cluster=status.get("rayClusterName") or None,
        phase=status.get("jobDeploymentStatus") or "Unknown",
    )
    return summary, _condition(observed, roster)


def _condition(observed: CouncilObserved, roster: Roster) -> Finding:
    name = roster.runner
    fault = _find_kuberay(observed)
    if fault:
        return fault
    ray_job = observed.ray_jobs.get(name)
    if ray_job is not None and health.has_lost_its_head(ray_job, observed.pods):
        text = f"the head pod of RayJob {name} was lost, and the runner with it; KubeRay starts it on the next head"
        return Finding(TYPE, status=False, reason=Reason.RUNNER_FAILED, message=text)
    match health.read_runner(ray_job):
        case RunnerState.ABSENT | RunnerState.STARTING:
            return _explain_start(observed, name, ray_job)
        case RunnerState.ASLEEP:
            text = f"RayJob {name} sleeps for want of questions and has no pods; the next Deliberation wakes it"
            return Finding(TYPE, status=True, reason=Reason.ASLEEP, message=text)
        case RunnerState.ENDED:
            return Finding(
                TYPE, status=False, reason=Reason.RUNNER_FAILED, message=_explain_end(observed, name, ray_job or {})
            )
        case RunnerState.RUNNING:
            return _find_silence(observed, name, ray_job or {})


def _find_kuberay(observed: CouncilObserved) -> Finding | None:
    """Return that there can be no runner in this cluster, or None."""
    if observed.kuberay_installed:
        return None
    text = "the cluster has no RayJob kind: install the KubeRay operator, version 1.6 or newer; the rest goes on"
    return Finding(TYPE, status=False, reason=Reason.KUBERAY_NOT_INSTALLED, message=text)


def _explain_start(observed: CouncilObserved, name: str, ray_job: Body | None) -> Finding:
    if ray_job is None:
        return _starting(f"RayJob {name} is being created")
    held = find_suspension(name, ray_job)
    if held:
        return Finding(TYPE, status=False, reason=Reason.RUNNER_SUSPENDED, message=held)
    return _find_start_fault(observed, name, ray_job)


def _starting(message: str) -> Finding:
    return Finding(TYPE, status=False, reason=Reason.RUNNER_STARTING, message=message)


def find_suspension(name: str, ray_job: Body) -> str | None:
    """Return who keeps a runner from starting: Kueue sets `spec.suspend` of what is in one of its queues."""
    if not ray_job.get("spec", {}).get("suspend"):
        return None
    queue = ray_job["metadata"].get("labels", {}).get(labels.KUEUE_LABELS[0])
    if queue:
        return f"RayJob {name} waits for its quota in Kueue's queue {queue}: see kubectl get workloads"
    return f"RayJob {name} is suspended, and not by the operator: set its spec.suspend to false"


def _find_start_fault(observed: CouncilObserved, name: str, ray_job: Body) -> Finding:
    status = ray_job.get("status", {})
    since = status.get("startTime") if status.get("jobDeploymentStatus") == "Initializing" else None
    told = f", since {since}" if since else ""
    starting = _starting(f"RayJob {name} starts its cluster{told}, which takes some 20 seconds")
    return _find_pod_fault(observed, name) or starting


def _find_pod_fault(observed: CouncilObserved, name: str) -> Finding | None:
    text = find_pod_fault(observed.pods, name, observed.body["metadata"]["namespace"])
    return Finding(TYPE, status=False, reason=Reason.RUNNER_FAILED, message=text) if text else None


def find_pod_fault(pods: tuple[Body, ...], name: str, namespace: str) -> str | None:
    """Return what keeps the pods of a runner's RayJob from running, or None."""
    trouble = health.find_trouble(pods, name)
    if trouble is None:
        return None
    what = f": {shorten(trouble.message, 200)}" if trouble.message else ""
    return f"Pod {trouble.pod}: {trouble.reason}{what}; see kubectl -n {namespace} describe pod {trouble.pod}"


def _explain_end(observed: CouncilObserved, name: str, ray_job: Body) -> str:
    at_ms = health.find_next_start_ms(ray_job, observed.body)
    when = "soon" if at_ms is None or at_ms <= observed.now_ms else f"at {format_time(at_ms)}"
    return explain_end(name, observed.body["metadata"]["namespace"], ray_job, f"it is started anew {when}")


def explain_end(name: str, namespace: str, ray_job: Body, follows: str) -> str:
    """Return how a runner ended, and what follows. KubeRay's message of a failed job holds its log and goes nowhere."""
    status = ray_job.get("status", {})
    deployment = status.get("jobDeploymentStatus", "")
    if deployment == "ValidationFailed":
        return f"KubeRay refuses RayJob {name}: {shorten(str(status.get('message', '')), 250)}"
    reason = f" ({status['reason']}{_explain_reason(status['reason'])})" if status.get("reason") else ""
    look = f"kubectl -n {namespace} describe rayjob {name}"
    return f"RayJob {name} is {deployment}{reason}; {follows}; see {look}"


def _explain_reason(reason: str) -> str:
    """Return what a reason of KubeRay's means for a runner, where its name does not say it."""
    meaning = {
        "AppFailed": "the driver crashed again and again",
        "SubmissionFailed": "the head did not take the job",
        "JobStatusCheckTimeoutExceeded": "KubeRay could not ask the head for the job: can it reach port 8265 there?",
        "PreRunningDeadlineExceeded": "the cluster did not start in time",
        "JobDeploymentStatusTransitionGracePeriodExceeded": "the job had ended, and KubeRay noticed late",
    }.get(reason)
    return f": {meaning}" if meaning else ""


def _find_silence(observed: CouncilObserved, name: str, ray_job: Body) -> Finding:
    if observed.bus_fault:
        text = f"RayJob {name} runs; whether it works cannot be heard without NATS"
        return Finding(TYPE, status=None, reason=Reason.BUS_UNAVAILABLE, message=text)
    if council_plan.is_beating(observed):
        return Finding(TYPE, status=True, reason=Reason.READY, message=f"RayJob {name} runs and its heartbeat is heard")
    started, age = health.seconds_started(ray_job, observed.now_ms), observed.heartbeat_age_seconds
    if started < FIRST_BEAT_SECONDS and (age is None or age > started):
        return _starting(f"RayJob {name} runs; its first heartbeat is awaited")
    text = f"RayJob {name} runs, but no heartbeat is heard: {WHAT_TO_ASK_OF_SILENCE}"
    silent = Finding(TYPE, status=False, reason=Reason.RUNNER_SILENT, message=text)
    return _find_pod_fault(observed, name) or silent
