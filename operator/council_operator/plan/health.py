"""What the children's own status says, in the order in which it can be trusted."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from council_operator.plan.conditions import find_condition, has_condition
from council_operator.plan.last_words import find_last_words
from council_operator.render import labels

Body = dict[str, Any]

START_INTERVAL_SECONDS = 120.0
"""A runner that ends at once is started again at most this often; one that lived longer is replaced at once."""

LONGEST_START_INTERVAL_SECONDS = 1800.0
"""Most that lies between two starts of a runner that keeps failing."""

RAY_CONTAINER = "ray"
"""Name of the container in a runner's pods that is Ray; the head may have its autoscaler beside it."""

RESUBMIT_SECONDS = 60.0
"""How long after a lost head was started again KubeRay may take to submit the job to it: usually some 10 seconds."""


class RunnerState(Enum):
    """What a RayJob is worth to us."""

    ABSENT = auto()
    STARTING = auto()
    RUNNING = auto()
    ASLEEP = auto()
    ENDED = auto()


def read_runner(ray_job: Body | None) -> RunnerState:
    """Return the state of a runner from its RayJob.

    `jobDeploymentStatus` comes first: `jobStatus` may still read RUNNING after the deployment has failed. A warm runner
    never completes on purpose, so Complete is an end like Failed; KubeRay never leaves ValidationFailed by itself.
    """
    if ray_job is None:
        return RunnerState.ABSENT
    status = ray_job.get("status", {})
    match status.get("jobDeploymentStatus", ""):
        case "Failed" | "Complete" | "ValidationFailed":
            return RunnerState.ENDED
        case _ if is_put_to_sleep(ray_job):
            return RunnerState.ASLEEP
        case "Running" if status.get("jobStatus") in {"FAILED", "STOPPED", "SUCCEEDED"}:
            return RunnerState.STARTING
        case "Running":
            return RunnerState.RUNNING
        case _:
            return RunnerState.STARTING


def is_put_to_sleep(ray_job: Body) -> bool:
    """Return whether the operator suspended a runner and nobody has resumed it since."""
    is_suspended = bool(ray_job.get("spec", {}).get("suspend"))
    return is_suspended and labels.annotation(ray_job, labels.ASLEEP) == "true"


def find_start_ms(ray_job: Body) -> int | None:
    """Return since when a runner has run, in milliseconds since the epoch; None while KubeRay has not begun with it.

    Ray's own time counts where it is known: KubeRay's is when it began to make the cluster, whose image may be large.
    """
    since = ray_job.get("status", {}).get("startTime")
    times_ms = (parse_time_ms(since) if since else None, find_start_in_ray_ms(ray_job))
    return max((time_ms for time_ms in times_ms if time_ms is not None), default=None)


def find_start_in_ray_ms(ray_job: Body) -> int | None:
    """Return since when Ray has run a runner's job, in milliseconds since the epoch; None while it has not said so."""
    started = ray_job.get("status", {}).get("rayJobInfo", {}).get("startTime")
    return parse_time_ms(started) if started else None


def seconds_started(ray_job: Body, now_ms: int) -> float:
    """Return for how long a runner has run, in seconds; one that does not yet, since it was woken or created."""
    since_ms = find_start_ms(ray_job)
    return age_seconds(ray_job, now_ms) if since_ms is None else (now_ms - since_ms) / 1000


def has_lost_its_head(ray_job: Body, pods: tuple[Body, ...]) -> bool:
    """Return whether the head of a runner's Ray cluster is younger than its job, which died with the head before.

    Ray keeps jobs in the head's memory. KubeRay starts a head again, finds that the new one does not know the job, and
    submits it once more; until then it calls the job running.
    """
    return _find_new_head_ms(ray_job, pods) is not None


def is_forgotten(ray_job: Body, pods: tuple[Body, ...], now_ms: int) -> bool:
    """Return whether KubeRay has not submitted a job again long after its head was lost.

    It backs off while a head does not answer, and so may come back late.
    """
    since_ms = _find_new_head_ms(ray_job, pods)
    return since_ms is not None and now_ms - since_ms > RESUBMIT_SECONDS * 1000


def _find_new_head_ms(ray_job: Body, pods: tuple[Body, ...]) -> int | None:
    """Return when the head was started that does not know the job; None when the head is the one that got the job."""
    started_ms = find_start_in_ray_ms(ray_job)
    if started_ms is None:
        return None
    labels_of_head = {labels.INSTANCE_LABEL: ray_job["metadata"]["name"], "ray.io/node-type": "head"}
    heads_ms = [
        parse_time_ms(since)
        for pod in pods
        if labels_of_head.items() <= pod["metadata"].get("labels", {}).items()
        for container in pod.get("status", {}).get("containerStatuses", ())
        if container.get("name") == RAY_CONTAINER
        if (since := container.get("state", {}).get("running", {}).get("startedAt"))
    ]
    return max((head_ms for head_ms in heads_ms if head_ms > started_ms), default=None)


def find_next_start_ms(ray_job: Body, council: Body) -> int | None:
    """Return when an ended runner may be replaced, in milliseconds since the epoch; None while it has no age.

    As long after its start as its Council had been without a runner by then, within bounds: so the time between two
    starts doubles. Nothing counts the starts: the Council's own condition tells since when it has had none.
    """
    created = ray_job["metadata"].get("creationTimestamp")
    if not created:
        return None
    created_ms = parse_time_ms(created)
    ready = find_condition(council, "RunnerReady")
    since = ready.get("lastTransitionTime") if ready.get("status") == "False" else None
    without_seconds = (created_ms - parse_time_ms(since)) / 1000 if since else 0.0
    seconds = max(START_INTERVAL_SECONDS, without_seconds)
    return created_ms + round(min(seconds, LONGEST_START_INTERVAL_SECONDS) * 1000)


def may_start_again(ray_job: Body, council: Body, now_ms: int) -> bool:
    """Return whether an ended runner may be replaced now."""
    at_ms = find_next_start_ms(ray_job, council)
    return at_ms is not None and now_ms >= at_ms


def age_seconds(body: Body, now_ms: int) -> float:
    """Return the age of an object, in seconds; an object without a creation time is new."""
    created = body["metadata"].get("creationTimestamp")
    return (now_ms - parse_time_ms(created)) / 1000 if created else 0.0


def parse_time_ms(text: str) -> int:
    """Return an RFC 3339 time in milliseconds since the epoch."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def is_being_deleted(body: Body) -> bool:
    """Return whether somebody has asked for the object's deletion."""
    return "deletionTimestamp" in body["metadata"]


def is_serving(deployment: Body | None) -> bool:
    """Return whether a model server of the present declaration answers."""
    if deployment is None or is_being_deleted(deployment):
        return False
    status = deployment.get("status", {})
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return bool(seen and status.get("updatedReplicas", 0) and status.get("readyReplicas", 0))


def seconds_available(deployment: Body, now_ms: int) -> float:
    """Return for how long a Deployment has been available, in seconds; since its creation if it does not say."""
    since = find_condition(deployment, "Available").get("lastTransitionTime")
    return (now_ms - parse_time_ms(since)) / 1000 if since else age_seconds(deployment, now_ms)


def has_stopped_progressing(deployment: Body) -> bool:
    """Return whether Kubernetes has given a Deployment's start-up up: by default after ten minutes without progress."""
    return has_condition(deployment, "Progressing", "False")


@dataclass(frozen=True)
class Trouble:
    """Why a pod does not get on: the kubelet's or the scheduler's reason and words.

    Attributes:
        last_end: the kubelet's reason of how its container ended last time, where it did.
        last_words: what the container then said was wrong, as far as it could be read.
    """

    pod: str
    reason: str
    message: str
    since_ms: int | None = None
    last_end: str | None = None
    last_words: str | None = None


UNSCHEDULABLE = "Unschedulable"
CONFIG_ERROR = "CreateContainerConfigError"
OUT_OF_MEMORY = "OOMKilled"
STARTED_ANEW = "StartedAnew"
"""A container that ended runs again and does not answer yet: the kubelet has no word for it."""

_HARMLESS = frozenset({"ContainerCreating", "PodInitializing", ""})


def find_pod(pods: tuple[Body, ...], instance: str) -> Body | None:
    """Return the youngest pod of one child that is not on its way out, or None."""
    mine = [pod for pod in pods if _is_of(pod, instance) and not is_being_deleted(pod)]
    return max(mine, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)


def find_start(pod: Body) -> str | None:
    """Return when the containers of a pod began to run, as an RFC 3339 time; None while one of them does not."""
    states = [one.get("state", {}) for one in pod.get("status", {}).get("containerStatuses", ())]
    times = [state.get("running", {}).get("startedAt") for state in states]
    return max(times) if times and all(times) else None


def find_trouble(pods: tuple[Body, ...], instance: str) -> Trouble | None:
    """Return the first trouble among the pods of one child, newest pods last, or None.

    That a pod finds no node while another one is on its way out is none: it takes that one's place.
    """
    mine = [pod for pod in pods if _is_of(pod, instance)]
    for pod in sorted(mine, key=lambda pod: str(pod["metadata"].get("name"))):
        trouble = _trouble_of(pod)
        if trouble and not (trouble.reason == UNSCHEDULABLE and find_leaving(pods, instance)):
            return trouble
    return None


def find_leaving(pods: tuple[Body, ...], instance: str) -> Body | None:
    """Return a pod of one child that is on its way out, as while a model server answers its last calls, or None."""
    return next((pod for pod in pods if _is_of(pod, instance) and is_being_deleted(pod)), None)


def _is_of(pod: Body, instance: str) -> bool:
    return bool(pod["metadata"].get("labels", {}).get(labels.INSTANCE_LABEL) == instance)


def _trouble_of(pod: Body) -> Trouble | None:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    for condition in status.get("conditions", ()):
        if condition.get("reason") == UNSCHEDULABLE and condition.get("status") == "False":
            since = condition.get("lastTransitionTime")
            return Trouble(name, UNSCHEDULABLE, condition.get("message", ""), parse_time_ms(since) if since else None)
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        trouble = _trouble_in(container, name)
        if trouble:
            return trouble
    return None


def _trouble_in(container: Body, pod: str) -> Trouble | None:
    state = container.get("state", {})
    waiting = state.get("waiting", {})
    reason = waiting.get("reason", "")
    last = container.get("lastState", {}).get("terminated")
    if reason not in _HARMLESS:
        return _after_end(pod, reason, container, last) if last else Trouble(pod, reason, waiting.get("message", ""))
    if state.get("terminated", {}).get("reason") == OUT_OF_MEMORY:
        return Trouble(pod, OUT_OF_MEMORY, "the container needed more memory than its limit")
    if last and "running" in state and not container.get("ready"):
        return _after_end(pod, STARTED_ANEW, container, last)
    return None


def _after_end(pod: str, reason: str, container: Body, last: Body) -> Trouble:
    """Return the trouble of a container that has ended before, with how it did: CrashLoopBackOff explains nothing."""
    count, words = container.get("restartCount", 1), find_last_words(last.get("message", ""))
    times = "once" if count == 1 else f"{count} times"
    end = str(last.get("reason", "Error"))
    message = f"it ended {times}, last with {end}, code {last.get('exitCode', '?')}"
    return Trouble(pod, reason, f"{message}: {words}" if words else message, last_end=end, last_words=words)
