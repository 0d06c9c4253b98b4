"""From what happened to who must look: translates events of the cluster and the bus into wakes."""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from council_operator.loops import Key
from council_operator.plan.conditions import find_condition, has_condition
from council_operator.plan.gpu import Offer, asks_for_gpu, read_offers
from council_operator.plan.observed import Activity
from council_operator.plan.settings import RenderSettings
from council_operator.queues import Queues
from deliberation.api.v1alpha1.deliberation_status import Phase
from deliberation.protocol.health import Heartbeat
from deliberation.protocol.subjects import Run

FINISHED = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})

LEAVINGS = "Leavings"
"""Kind of the keys of what Deliberations have left that are gone; their name is its uid."""

SWEEP = Key("Sweep", "", "")
"""The loop that looks for those of whose end nobody told."""

Body = dict[str, Any]


def key_of_leavings(namespace: str, uid: str) -> Key:
    """Return the key of what a Deliberation has left on the bus."""
    return Key(LEAVINGS, namespace, uid)


class Wakes:
    """Wakes the loops of the objects that an event concerns.

    Keeps an index of Deliberations by uid and by Council, the Councils, and the last heartbeat of each runner. All of
    it is a cache of the watch and of the heartbeats: a restarted operator has it back within seconds. `queues` are kept
    beside it. `wake_soon` is for what may wait a moment, so that one look serves for many.
    """

    def __init__(
        self,
        wake: Callable[[Key], None],
        monotonic: Callable[[], float],
        settings: RenderSettings,
        wake_soon: Callable[[Key], None] | None = None,
    ) -> None:
        started = monotonic()
        self.queues = Queues(wake, settings)
        self._wake = wake
        self._wake_soon = wake_soon or wake
        self._monotonic = monotonic
        self._started = started
        self._by_uid: dict[str, Key] = {}
        self._phases: dict[Key, dict[str, str]] = defaultdict(dict)
        self._counts: dict[Key, Counter[str]] = defaultdict(Counter)
        self._councils: dict[str, dict[Key, Body]] = defaultdict(dict)
        self._said: dict[Key, tuple[object, ...]] = {}
        self._active: dict[Key, set[str]] = defaultdict(set)
        self._used: dict[Key, float] = defaultdict(lambda: started)
        self._on_gpus: set[Key] = set()
        self._offers: dict[str, tuple[Offer, ...]] = {}
        self._node_labels: dict[str, Body] = {}
        self._divider: Key | None = None
        self._heartbeats: dict[tuple[str, str], tuple[Heartbeat, float]] = {}

    def council_changed(self, event_type: str | None, body: Body) -> None:
        """Look at the Council and, when it says something else to them, at its unfinished Deliberations."""
        key = _key("Council", body)
        self.queues.council_changed(key, None if event_type == "DELETED" else body)
        if event_type == "DELETED":
            self._councils[key.namespace].pop(key, None)
        else:
            self._councils[key.namespace][key] = body
        self._on_gpus.discard(key)
        if event_type != "DELETED" and asks_for_gpu(body):
            self._on_gpus.add(key)
        self._wake(key)
        before, self._said[key] = self._said.get(key), _say_to_deliberations(event_type, body)
        if before == self._said[key]:
            return
        for uid, phase in self._phases[key].items():
            if phase not in FINISHED:
                self._wake(self._by_uid[uid])

    def deliberation_changed(self, event_type: str | None, body: Body) -> None:
        """Look at the Deliberation, and at its Council when it moved on in the Council's queue.

        The Council counts at its leisure, unless this is the first to use it for a while: it may sleep.
        """
        key = _key("Deliberation", body)
        uid = body["metadata"]["uid"]
        council = Key("Council", key.namespace, body["spec"]["councilRef"]["name"])
        phases = self._phases[council]
        before = phases.get(uid)
        if event_type == "DELETED":
            self._by_uid.pop(uid, None)
            phases.pop(uid, None)
            self.queues.forget(key)
            self._wake(key_of_leavings(key.namespace, uid))
        else:
            self._by_uid[uid] = key
            phases[uid] = body.get("status", {}).get("phase", Phase.PENDING)
            self.queues.deliberation_changed(key, body)
        if before != phases.get(uid):
            self._counts[council].subtract([before] if before else [])
            self._counts[council].update([phases[uid]] if uid in phases else [])
        was_used = bool(self._active[council])
        self._note_use(council, uid, is_active=event_type != "DELETED" and _is_active(body))
        if before != phases.get(uid) and council in self._councils[council.namespace]:
            (self._wake_soon if was_used else self._wake)(council)
        self._wake(key)

    def _note_use(self, council: Key, uid: str, *, is_active: bool) -> None:
        active = self._active[council]
        if is_active or uid in active:
            self._used[council] = self._monotonic()
        if is_active:
            active.add(uid)
        else:
            active.discard(uid)

    def child_changed(self, body: Body) -> None:
        """Look at everything of ours that owns the object."""
        metadata = body["metadata"]
        for owner in metadata.get("ownerReferences", []):
            if owner["kind"] in {"Council", "Deliberation"}:
                self._wake(Key(owner["kind"], metadata["namespace"], owner["name"]))

    def node_changed(self, event_type: str | None, body: Body) -> None:
        """Look at every Council on GPUs when what a node offers has changed; kubelets report much else."""
        name = body["metadata"]["name"]
        before = self._offers.pop(name, ())
        now = () if event_type == "DELETED" else read_offers([body])
        if now:
            self._offers[name] = now
        if now != before:
            for key in self._on_gpus:
                self._wake(key)

        labels = {} if event_type == "DELETED" else body["metadata"].get("labels", {})
        if labels != self._node_labels.get(name) and self._divider:
            self._node_labels[name] = labels
            self._wake(self._divider)

    def follow_nodes(self, divider: Key) -> None:
        """Look by this key whenever the labels of a node change, and now."""
        self._divider = divider
        self._wake(divider)

    def ledger_grew(self, run: Run, _entry_key: str) -> None:
        """Look at the Deliberation whose ledger has a new entry."""
        key = self._by_uid.get(run.deliberation_uid)
        if key:
            self._wake(key)

    def task_died(self, run: Run) -> None:
        """Look at the Deliberation whose task was laid aside: nobody else ends its run."""
        self.ledger_grew(run, "")

    def runner_beat(self, namespace: str, heartbeat: Heartbeat) -> None:
        """Look at the namespace's Councils when a runner shows up again or its seats changed."""
        known, age = self.heartbeat_of(namespace, heartbeat.runner)
        self._heartbeats[(namespace, heartbeat.runner)] = (heartbeat, self._monotonic())
        self.queues.runner_beat(namespace, heartbeat)
        if known is None or known.seats != heartbeat.seats or (age or 0) > Heartbeat.SILENT_AFTER_SECONDS:
            for council in self._councils[namespace]:
                self._wake(council)

    def everything(self) -> None:
        """Look at every object: the bus is back, and may have been silent for a while."""
        self.queues.call_roll()
        for keys in (*self._councils.values(), self._by_uid.values()):
            for key in keys:
                self._wake(key)

    def sweep(self) -> None:
        """Look for what was left on the bus by those who went while nobody watched, or while it was away."""
        self._wake(SWEEP)

    def council_of(self, key: Key) -> Body | None:
        """Return a Council as the watch told of it last; None of one that it has not told of, or that is gone."""
        return self._councils[key.namespace].get(key)

    def heartbeat_of(self, namespace: str, runner: str) -> tuple[Heartbeat | None, float | None]:
        """Return the last heartbeat of a runner and its age in seconds; (None, None) if there was none."""
        known = self._heartbeats.get((namespace, runner))
        return (known[0], self._monotonic() - known[1]) if known else (None, None)

    @property
    def listening_seconds(self) -> float:
        """Return for how long heartbeats may have been heard."""
        return self._monotonic() - self._started

    def activity_of(self, council: Key) -> Activity:
        """Return how much a Council is used, counted from the operator's start at the earliest."""
        return Activity(len(self._active[council]), self._monotonic() - self._used[council])

    def phases_of(self, council: Key) -> dict[str, int]:
        """Return how many Deliberations of a Council are in each phase."""
        return {phase: count for phase, count in self._counts[council].items() if count}


def _is_active(deliberation: Body) -> bool:
    """Return whether a Deliberation is unfinished, and not one that only a change could bring on."""
    status = deliberation.get("status", {})
    stalled = has_condition(deliberation, "Stalled")
    return status.get("phase", Phase.PENDING) not in FINISHED | {Phase.SUSPENDED} and not stalled


def _say_to_deliberations(event_type: str | None, council: Body) -> tuple[object, ...]:
    """Return what a Deliberation reads of its Council. The rest changes with every step that another one makes."""
    metadata = council["metadata"]
    is_gone = event_type == "DELETED" or "deletionTimestamp" in metadata
    return (metadata["uid"], metadata.get("generation"), is_gone, find_condition(council, "Ready"))


def _key(kind: str, body: Body) -> Key:
    return Key(kind, body["metadata"]["namespace"], body["metadata"]["name"])
