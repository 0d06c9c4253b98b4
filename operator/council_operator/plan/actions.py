"""Everything that a plan can ask for. `apply` carries actions out in order; each is safe to repeat."""

from dataclasses import dataclass
from typing import Any

from deliberation.protocol.entries import LedgerEntry
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task


@dataclass(frozen=True)
class ObjectReference:
    """Names one Kubernetes object."""

    api_version: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Apply:
    """Server-side apply `body` under `field_manager`, forcing ownership of the fields it holds."""

    body: dict[str, Any]
    field_manager: str


@dataclass(frozen=True)
class Delete:
    """Delete one object, if it is still the one with this uid. An object that is gone is a success."""

    reference: ObjectReference
    uid: str


@dataclass(frozen=True)
class Release:
    """Take one owner off a shared object; delete the object when that was its last owner."""

    reference: ObjectReference
    owner_uid: str


@dataclass(frozen=True)
class EnsureTaskConsumer:
    """Make sure that the durable consumer exists through which a runner takes its tasks."""

    namespace: str
    runner: str


@dataclass(frozen=True)
class RemoveTaskConsumer:
    """Remove a runner's consumer; one that is gone is a success."""

    namespace: str
    runner: str


@dataclass(frozen=True)
class PublishTask:
    """Put a task on the bus, once: a task that is there already is a success, unless this `replaces` it."""

    run: Run
    runner: str
    task: Task
    replaces: bool = False


@dataclass(frozen=True)
class PublishEntry:
    """Put an entry into the ledger, once: an entry that is there already is a success."""

    run: Run
    entry: LedgerEntry


@dataclass(frozen=True)
class Purge:
    """Remove every task and every ledger entry of a Deliberation from the bus."""

    namespace: str
    deliberation_uid: str


@dataclass(frozen=True)
class EmitEvent:
    """Tell people, once per transition, what happened to the reconciled object. Never carries user or model text."""

    type: str
    reason: str
    message: str


Message = EnsureTaskConsumer | RemoveTaskConsumer | PublishTask | PublishEntry | Purge
"""What is for the bus."""

Action = Apply | Delete | Release | EmitEvent | Message


@dataclass(frozen=True)
class Plan:
    """What to do, and when to look again even if nothing wakes us (seconds; None leaves it to the resync)."""

    actions: tuple[Action, ...] = ()
    look_again_after: float | None = None
