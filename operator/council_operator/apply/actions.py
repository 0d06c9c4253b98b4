"""Carries out what a plan asks for, in order. Every action may be repeated, so a crash between two loses nothing."""

import logging
from datetime import UTC, datetime
from typing import Any

from council_operator.kube.port import Kubernetes, KubernetesError
from council_operator.plan.actions import (
    Action,
    Apply,
    Delete,
    EmitEvent,
    EnsureTaskConsumer,
    Message,
    PublishEntry,
    PublishTask,
    Purge,
    Release,
    RemoveTaskConsumer,
)
from deliberation.bus.port import Bus

Body = dict[str, Any]

COMPONENT = "council-operator"

logger = logging.getLogger(__name__)


async def carry_out(action: Action, subject: Body, kubernetes: Kubernetes, bus: Bus) -> None:
    """Carry out one action of the plan for `subject`.

    Raises:
        KubernetesError: the API server refused or was out of reach.
        BusUnavailableError: the bus was out of reach.
    """
    match action:
        case Apply():
            await kubernetes.apply(action.body, action.field_manager)
        case Delete():
            await kubernetes.delete(action.reference, action.uid)
        case Release():
            await _release(action, kubernetes)
        case EmitEvent():
            await emit(action, subject, kubernetes)
        case _:
            await send(action, bus)


async def send(message: Message, bus: Bus) -> None:
    """Carry out one action that is for the bus.

    Raises:
        BusUnavailableError: the bus was out of reach.
    """
    match message:
        case EnsureTaskConsumer():
            await bus.ensure_task_consumer(message.namespace, message.runner)
        case RemoveTaskConsumer():
            await bus.remove_task_consumer(message.namespace, message.runner)
        case PublishTask():
            await _publish_task(message, bus)
        case PublishEntry():
            await bus.publish_entry(message.run, message.entry)
        case Purge():
            await bus.purge(message.namespace, message.deliberation_uid)


async def emit(event: EmitEvent, subject: Body, kubernetes: Kubernetes) -> None:
    """Create an Event about `subject`; one that is refused, as in a namespace that is being deleted, is only logged."""
    try:
        await kubernetes.create(build_event(event, subject))
    except KubernetesError as error:
        metadata = subject["metadata"]
        name = f"{metadata.get('namespace', '')}/{metadata['name']}"
        logger.warning("%s %s: the Event %s was not taken: %s", subject["kind"], name, event.reason, error)


async def _publish_task(action: PublishTask, bus: Bus) -> None:
    """Publish a task. A crash between the two steps leaves none, and the next pass publishes it all the same."""
    if action.replaces:
        await bus.withdraw_tasks(action.run.namespace, action.run.deliberation_uid)
    await bus.publish_task(action.run, action.runner, action.task)


async def _release(action: Release, kubernetes: Kubernetes) -> None:
    """Take an owner off, under the resourceVersion that was read: another Council may join at this very moment."""
    body = await kubernetes.find(action.reference)
    if body is None:
        return
    metadata = body["metadata"]
    owners = metadata.get("ownerReferences", [])
    others = [owner for owner in owners if owner["uid"] != action.owner_uid]
    if len(others) == len(owners):
        return
    version = metadata["resourceVersion"]
    if others:
        await kubernetes.merge(action.reference, {"metadata": {"ownerReferences": others, "resourceVersion": version}})
    else:
        await kubernetes.delete(action.reference, metadata["uid"], version)


def build_event(action: EmitEvent, subject: Body) -> Body:
    """Return the Event; that of an object without a namespace lies in `default`, as the API server asks for."""
    metadata = subject["metadata"]
    namespace = metadata.get("namespace")
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name'][:200]}.", "namespace": namespace or "default"},
        "involvedObject": {
            "apiVersion": subject["apiVersion"],
            "kind": subject["kind"],
            **({"namespace": namespace} if namespace else {}),
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
        "type": action.type,
        "reason": action.reason,
        "message": action.message[:1024],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
