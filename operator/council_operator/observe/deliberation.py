"""Reads the world around one Deliberation."""

from collections.abc import Callable
from dataclasses import replace

from council_operator.kube.port import Kubernetes
from council_operator.loops import Key
from council_operator.plan.actions import ObjectReference
from council_operator.plan.observed import BusFault, DeliberationObserved
from council_operator.plan.waiting import was_admitted
from council_operator.queues import Queues
from deliberation.api.v1alpha1.base import API_VERSION
from deliberation.bus.port import Bus, BusUnavailableError
from deliberation.protocol.subjects import Run


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
        run = Run(key.namespace, uid, task.attempt if task else 1)
        ledger = await bus.read_ledger(run) if task or was_admitted(body) else ()
        dead_letter = await bus.find_dead_letter(key.namespace, uid) if task else None
    except BusUnavailableError as error:
        return DeliberationObserved(body, council, bus_fault=BusFault(str(error)), now_ms=now_ms())
    observed = DeliberationObserved(body, council, task, ledger, now_ms=now_ms(), dead_letter=dead_letter)
    if task and observed.standing and not observed.standing.suspended:
        queues.note_run(key, task.started_at_ms, is_over=observed.standing.verdict is not None)
    return replace(observed, turn=queues.look_up(key))
