"""Reads the world around one Deliberation."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from council_operator.kube.port import Kubernetes, NotFoundError
from council_operator.loops import Key
from council_operator.observe.queues import note_run
from council_operator.plan import health
from council_operator.plan.actions import ObjectReference
from council_operator.plan.deliberation import is_finished
from council_operator.plan.observed import BusFault, DeliberationObserved
from council_operator.plan.waiting import was_admitted
from council_operator.queues import Queues
from council_operator.render import rayjob
from council_operator.render.labels import deliberation_selector
from deliberation.api.v1alpha1.base import API_VERSION
from deliberation.api.v1alpha1.council import RunnerMode
from deliberation.api.v1alpha1.deliberation_status import Phase
from deliberation.bus.port import Bus, BusUnavailableError
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task

Body = dict[str, Any]


async def observe(
    key: Key, kubernetes: Kubernetes, bus: Bus, queues: Queues, now_ms: Callable[[], int]
) -> DeliberationObserved | None:
    """Return what is known of a Deliberation, or None when it is gone. The queues are told what the bus says of it.

    A bus out of reach is an observation, not an error: it becomes a condition.

    Raises:
        KubernetesError: the API server refused or was out of reach.
    """
    body = await kubernetes.find(ObjectReference(API_VERSION, "Deliberation", key.namespace, key.name))
    if body is None:
        queues.forget(key)
        return None
    council_name = body["spec"]["councilRef"]["name"]
    council = await kubernetes.find(ObjectReference(API_VERSION, "Council", key.namespace, council_name))
    uid = body["metadata"]["uid"]
    try:
        task = await bus.read_task(key.namespace, uid)
        # Before the ledger: whoever sees that a runner has ended sees all that it has written.
        found = await _find_runner(key.namespace, uid, kubernetes) if _may_have_runner(body, council, task) else {}
        run = Run(key.namespace, uid, task.attempt if task else 1)
        ledger = await bus.read_ledger(run) if task or was_admitted(body) else ()
        dead_letter = await bus.find_dead_letter(key.namespace, uid) if task else None
    except BusUnavailableError as error:
        return DeliberationObserved(body, council, bus_fault=BusFault(str(error)), now_ms=now_ms())
    observed = DeliberationObserved(body, council, task, ledger, now_ms=now_ms(), dead_letter=dead_letter, **found)
    if task and observed.standing:
        note_run(queues, key, task, observed.standing)
    return replace(observed, turn=queues.look_up(key))


def _may_have_runner(body: Body, council: Body | None, task: Task | None) -> bool:
    """Return whether a Deliberation may have a runner of its own that matters: one that succeeded is done with it."""
    known = body.get("status", {})
    if health.is_being_deleted(body):
        return False
    if is_finished(body):
        return "runner" in known and known["phase"] != Phase.SUCCEEDED
    has_one = task is not None and task.own_runner is not None
    gets_one = council is not None and council["spec"].get("runner", {}).get("mode") == RunnerMode.PER_DELIBERATION
    return has_one or gets_one or "runner" in known


async def _find_runner(namespace: str, uid: str, kubernetes: Kubernetes) -> dict[str, Any]:
    """Return the parts of the observation that are about a runner of its own."""
    selector = deliberation_selector(uid)
    try:
        ray_jobs = await kubernetes.list_labelled(rayjob.API_VERSION, rayjob.KIND, namespace, selector)
    except NotFoundError:
        return {"kuberay_installed": False}
    pods = await kubernetes.list_labelled("v1", "Pod", namespace, selector)
    return {"ray_jobs": {one["metadata"]["name"]: one for one in ray_jobs}, "pods": tuple(pods)}
