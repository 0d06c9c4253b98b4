"""Reads the world around one Deliberation."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from council_operator.kube.port import Kubernetes, NotFoundError
from council_operator.loops import Key
from council_operator.observe.queues import note_run
from council_operator.plan import health
from council_operator.plan.actions import ObjectReference
from council_operator.plan.conditions import has_condition
from council_operator.plan.deliberation import is_finished
from council_operator.plan.observed import BusFault, DeliberationObserved
from council_operator.plan.waiting import was_admitted
from council_operator.render import rayjob
from council_operator.render.labels import deliberation_selector
from council_operator.wakes import Wakes
from deliberation.api.v1alpha1.base import API_VERSION
from deliberation.api.v1alpha1.council import RunnerMode
from deliberation.api.v1alpha1.deliberation_status import Phase
from deliberation.bus.port import Bus, BusUnavailableError
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task

Body = dict[str, Any]


async def observe(
    key: Key,
    kubernetes: Kubernetes,
    bus: Bus,
    wakes: Wakes,
    now_ms: Callable[[], int],
    before: DeliberationObserved | None = None,
) -> DeliberationObserved | None:
    """Return what is known of a Deliberation, or None when it is gone. The queues are told what the bus says of it.

    A bus out of reach is an observation, not an error: it becomes a condition. `before` is what the same pass observed
    before it acted. No action changes the Deliberation or its Council, so neither is read twice.

    The Council is read where it decides what is done: before a run and between two, and where runners are started as
    it declares them. Of a run at its own runner the status only tells how it does, and for that the last word of the
    watch will do, which may be out of date.

    Raises:
        KubernetesError: the API server refused or was out of reach.
    """
    body = before.body if before else await _find(key, kubernetes)
    if body is None:
        wakes.queues.forget(key)
        return None
    council_key = Key("Council", key.namespace, body["spec"]["councilRef"]["name"])
    council = before.council if before else wakes.council_of(council_key)
    uid = body["metadata"]["uid"]
    try:
        task = await bus.read_task(key.namespace, uid)
        is_in_work = task is not None and task.own_runner is None and has_condition(body, "Admitted")
        if not (before or (council and (is_in_work or is_finished(body)))):
            council = await _find(council_key, kubernetes)
        # Before the ledger: whoever sees that a runner has ended sees all that it has written.
        found = await _find_runner(key.namespace, uid, kubernetes) if _may_have_runner(body, council, task) else {}
        run = Run(key.namespace, uid, task.attempt if task else 1)
        ledger = await bus.read_ledger(run) if task or was_admitted(body) else ()
        dead_letter = await bus.find_dead_letter(key.namespace, uid) if task else None
    except BusUnavailableError as error:
        council = council or await _find(council_key, kubernetes)
        return DeliberationObserved(body, council, bus_fault=BusFault(str(error)), now_ms=now_ms())
    observed = DeliberationObserved(body, council, task, ledger, now_ms=now_ms(), dead_letter=dead_letter, **found)
    if task and observed.standing:
        note_run(wakes.queues, key, task, observed.standing)
        if observed.standing.suspended and is_in_work and not before:  # The status does not say yet that it waits.
            observed = replace(observed, council=await _find(council_key, kubernetes))
    return replace(observed, turn=wakes.queues.look_up(key))


async def _find(key: Key, kubernetes: Kubernetes) -> Body | None:
    return await kubernetes.find(ObjectReference(API_VERSION, key.kind, key.namespace, key.name))


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
