"""A fake cluster and bus in plain data, for plans: applies actions, and lets the world act between them.

Server-side apply, garbage collection and create-once are modelled as far as plans can tell; no schema, no clock but
`now_ms`. What only the real ones can show is in tests/contract.
"""

import copy
import itertools
from dataclasses import dataclass, field
from typing import Any

from council_operator.plan import council as council_plan
from council_operator.plan import deliberation as deliberation_plan
from council_operator.plan import health
from council_operator.plan.actions import (
    Action,
    Apply,
    Delete,
    EmitEvent,
    EnsureTaskConsumer,
    Message,
    Plan,
    PublishEntry,
    PublishTask,
    Purge,
    Release,
    RemoveTaskConsumer,
)
from council_operator.plan.gpu import asks_for_gpu
from council_operator.plan.health import RunnerState
from council_operator.plan.leavings import Clearing, clear
from council_operator.plan.observed import (
    Activity,
    BusFault,
    CouncilObserved,
    DeliberationObserved,
    GpuObserved,
    Runs,
    Turn,
)
from council_operator.plan.roster import runner_name
from council_operator.plan.succession import SETTLED_AFTER_SECONDS
from council_operator.plan.turns import Stand, read_stand
from council_operator.plan.waiting import was_admitted
from council_operator.render import labels
from council_operator.status import council as council_status
from council_operator.status import deliberation as deliberation_status
from council_operator.status.conditions import format_time
from council_operator.wakes import FINISHED
from deliberation.engine.fold import fold
from deliberation.engine.step import Finish, Record, Work, step
from deliberation.protocol.entries import Abstention, LedgerEntry, LedgerRecord, Start
from deliberation.protocol.health import Heartbeat, ProbeResult
from deliberation.protocol.tasks import Task
from fakes.bodies import NOW_MS, SETTINGS
from fakes.fake_answers import answer_ask
from fakes.fake_kuberay import FakeKubeRay

Body = dict[str, Any]


@dataclass
class FakeWorld(FakeKubeRay):
    """Objects by kind and name, tasks and ledgers by uid of the Deliberation."""

    now_ms: int = NOW_MS
    councils: dict[str, Body] = field(default_factory=dict)
    deliberations: dict[str, Body] = field(default_factory=dict)
    gone: dict[str, tuple[Body, int]] = field(default_factory=dict)
    children: dict[tuple[str, str], Body] = field(default_factory=dict)
    pods: list[Body] = field(default_factory=list)
    kuberay_installed: bool = True
    bus_is_up: bool = True
    consumers: set[str] = field(default_factory=set)
    tasks: dict[str, tuple[str, Task]] = field(default_factory=dict)
    ledgers: dict[str, list[LedgerRecord]] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)
    beats_ms: dict[str, int] = field(default_factory=dict)
    listening_since_ms: int = 0
    probes: tuple[ProbeResult, ...] | None = None
    nodes: list[Body] | None = field(default_factory=list)
    events: list[EmitEvent] = field(default_factory=list)
    used_ms: dict[str, int] = field(default_factory=dict)
    kueue_is_full: bool = False
    turn: Turn = field(default_factory=Turn)
    _serial: Any = field(default_factory=lambda: itertools.count(1))

    # What the operator does.

    def observe_council(self, name: str) -> CouncilObserved:
        body = self.councils[name]
        runner = runner_name(body, SETTINGS)
        beat = self.beats_ms.get(runner)
        return CouncilObserved(
            body=body,
            deployments=self._of_kind("Deployment"),
            services=self._of_kind("Service"),
            disruption_budgets=self._of_kind("PodDisruptionBudget"),
            ray_jobs=self._of_kind("RayJob") if self.kuberay_installed else {},
            pods=tuple(self.pods),
            kuberay_installed=self.kuberay_installed,
            bus_fault=None if self.bus_is_up else BusFault("not connected to NATS"),
            heartbeat=None if beat is None else Heartbeat(runner=runner, running=0, seats={}),
            heartbeat_age_seconds=None if beat is None else (self.now_ms - beat) / 1000,
            listening_seconds=(self.now_ms - self.listening_since_ms) / 1000,
            probes=self.probes,
            phases=self._phases(name),
            runs=self._runs(name),
            gpu=self._gpu() if asks_for_gpu(body) else None,
            neighbours=tuple(self.councils.values()),
            activity={self._note_use(one): self._activity(one) for one in self.councils},
            now_ms=self.now_ms,
        )

    def _note_use(self, council: str) -> tuple[str, str]:
        unfinished = any(phase not in FINISHED for phase in self._phases(council))
        if unfinished or council not in self.used_ms:
            self.used_ms[council] = self.now_ms
        return self.councils[council]["metadata"]["namespace"], council

    def _activity(self, council: str) -> Activity:
        unfinished = sum(count for phase, count in self._phases(council).items() if phase not in FINISHED)
        return Activity(unfinished, (self.now_ms - self.used_ms[council]) / 1000)

    def _gpu(self) -> GpuObserved:
        return GpuObserved(
            nodes=None if self.nodes is None else tuple(self.nodes),
            councils=tuple(self.councils.values()),
            deployments=tuple(self._live("Deployment")),
            pods=tuple(self.pods),
        )

    def observe_deliberation(self, name: str) -> DeliberationObserved:
        body = self.deliberations[name]
        council = self.councils.get(body["spec"]["councilRef"]["name"])
        if not self.bus_is_up:
            return DeliberationObserved(body, council, bus_fault=BusFault("not connected to NATS"), now_ms=self.now_ms)
        uid = body["metadata"]["uid"]
        _, task = self.tasks.get(uid, ("", None))
        ledger = tuple(self.ledgers.get(uid, ())) if task or was_admitted(body) else ()
        return DeliberationObserved(
            body,
            council,
            task,
            ledger,
            self.turn,
            now_ms=self.now_ms,
            dead_letter=self.dead.get(uid) if task else None,
            ray_jobs={one["metadata"]["name"]: one for one in self.own_ray_jobs(name)}
            if self.kuberay_installed
            else {},
            pods=tuple(self.pods),
            kuberay_installed=self.kuberay_installed,
        )

    def reconcile_council(self, name: str) -> Plan:
        """Make one pass over a Council: plan, apply, write the status."""
        plan = council_plan.plan(self.observe_council(name), SETTINGS)
        self.carry_out(plan)
        self.councils[name]["status"] = council_status.summarise(self.observe_council(name), SETTINGS)
        return plan

    def reconcile_deliberation(self, name: str) -> Plan:
        """Make one pass over a Deliberation: plan, apply, write the status."""
        body = self.deliberations[name]
        plan = deliberation_plan.plan(self.observe_deliberation(name), SETTINGS)
        self.carry_out(plan)
        if name in self.deliberations:
            body["status"] = deliberation_status.summarise(self.observe_deliberation(name))
        return plan

    def clear_up_after(self, uid: str) -> Clearing:
        """Make one look at what a Deliberation that is gone has left."""
        body, gone_ms = self.gone[uid]
        _, task = self.tasks.get(uid, ("", None))
        standing = fold(task, self.ledgers.get(uid, ())) if task else None
        run = deliberation_plan.run_of(body, task)
        clearing = clear(run, task, standing, (self.now_ms - gone_ms) / 1000)
        for message in clearing.messages:
            self._send(message)
        if clearing.look_again_after is None:
            del self.gone[uid]
        return clearing

    def restart_operator(self) -> None:
        """Have an operator follow that has heard nobody yet."""
        self.beats_ms.clear()
        self.listening_since_ms = self.now_ms

    def settle(self, passes: int = 6) -> None:
        """Reconcile everything a few times: enough for every chain of causes that does not need the world to act."""
        for _ in range(passes):
            for name in list(self.councils):
                self.reconcile_council(name)
            for name in list(self.deliberations):
                self.reconcile_deliberation(name)
            for uid in list(self.gone) if self.bus_is_up else ():
                self.clear_up_after(uid)

    def carry_out(self, plan: Plan) -> None:
        for action in plan.actions:
            self._act(action)

    def _act(self, action: Action) -> None:
        match action:
            case Apply(body, manager):
                self._apply(body, manager)
            case Delete(reference, _) if reference.kind == "Deliberation":
                self.delete_deliberation(reference.name)
            case Delete(reference, uid):
                child = self.children.get((reference.kind, reference.name))
                if child and child["metadata"]["uid"] == uid:
                    del self.children[reference.kind, reference.name]
            case Release(reference, owner_uid):
                self._release((reference.kind, reference.name), owner_uid)
            case EmitEvent():
                self.events.append(action)
            case _:
                self._send(action)

    def _send(self, action: Message) -> None:
        assert self.bus_is_up, "the plan wants the bus, and it is down"
        match action:
            case EnsureTaskConsumer(_, runner):
                self.consumers.add(runner)
            case RemoveTaskConsumer(_, runner):
                self.consumers.discard(runner)
            case PublishTask(run, runner, task, replaces):
                if replaces:
                    self.tasks.pop(run.deliberation_uid, None)
                    self.dead.pop(run.deliberation_uid, None)
                self.tasks.setdefault(run.deliberation_uid, (runner, task))
            case PublishEntry(run, entry):
                self.write_entry(run.deliberation_uid, entry)
            case Purge(_, uid):
                self.tasks.pop(uid, None)
                self.ledgers.pop(uid, None)
                self.dead.pop(uid, None)

    def _apply(self, body: Body, manager: str) -> None:
        key = (body["kind"], body["metadata"]["name"])
        owners = body["metadata"]["ownerReferences"]
        assert manager == f"{owners[0]['kind'].lower()}-{owners[0]['uid']}"
        known = self.children.get(key)
        merged = copy.deepcopy(body)
        before = known["metadata"] if known else {}
        others = [one for one in before.get("ownerReferences", ()) if one["uid"] != owners[0]["uid"]]
        changed = known is None or known.get("spec") != body.get("spec")
        merged["metadata"] |= {
            "uid": before.get("uid") or f"child-{next(self._serial)}",
            "creationTimestamp": before.get("creationTimestamp") or format_time(self.now_ms),
            "generation": before.get("generation", 0) + int(changed),
            "ownerReferences": [*others, *owners],
        }
        merged["status"] = known.get("status", {}) if known else {}
        if self.kueue_is_full and known is None and labels.KUEUE_LABELS[0] in merged["metadata"]["labels"]:
            merged["spec"]["suspend"] = True
        self.children[key] = merged

    def _release(self, key: tuple[str, str], owner_uid: str) -> None:
        child = self.children[key]
        owners = [owner for owner in child["metadata"]["ownerReferences"] if owner["uid"] != owner_uid]
        if owners:
            child["metadata"]["ownerReferences"] = owners
        else:
            del self.children[key]

    # What people do.

    def create(self, body: Body) -> None:
        kind = self.councils if body["kind"] == "Council" else self.deliberations
        kind[body["metadata"]["name"]] = copy.deepcopy(body)

    def edit(self, body: Body, **spec: Any) -> None:
        body["spec"] = {**body["spec"], **spec}
        body["metadata"]["generation"] += 1

    def delete_council(self, name: str) -> None:
        """Delete a Council; the garbage collector takes what nobody else owns."""
        self._collect_children(self.councils.pop(name)["metadata"]["uid"])

    def _collect_children(self, uid: str) -> None:
        for key in list(self.children):
            if any(owner["uid"] == uid for owner in self.children[key]["metadata"]["ownerReferences"]):
                self._release(key, uid)

    def delete_deliberation(self, name: str) -> None:
        """Delete a Deliberation: it goes at once, and what it leaves on the bus is looked at from now on."""
        body = self.deliberations.pop(name)
        self.gone[body["metadata"]["uid"]] = (body, self.now_ms)
        self._collect_children(body["metadata"]["uid"])

    # What the world does.

    def pass_time(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)

    def start_servers(self) -> None:
        """Have every Deployment come up, with as many pods as it is to have."""
        for body in self._live("Deployment"):
            generation, pods = body["metadata"]["generation"], body["spec"]["replicas"]
            body["status"] = {"observedGeneration": generation, "updatedReplicas": pods, "readyReplicas": pods}

    def bring_up(self) -> None:
        """Have every server and every runner come up."""
        self.start_servers()
        self.start_runners()

    def come_to_rest(self) -> None:
        """Let so much time pass in quiet that nobody acts on an older status any more, and reconcile everything."""
        self.settle()
        self.pass_time(SETTLED_AFTER_SECONDS)
        self.beat()
        self.settle()

    def write_entry(self, uid: str, entry: LedgerEntry) -> bool:
        """Create an entry once, whoever writes it."""
        ledger = self.ledgers.setdefault(uid, [])
        key = entry.key
        if any(record.key == key for record in ledger):
            return False
        ledger.append(LedgerRecord(next(self._serial), key, entry))
        return True

    def run_a_step(self, name: str) -> None:
        """Have the runner do one thing for a Deliberation: start, or fill every place that the engine asks for."""
        uid = self.deliberations[name]["metadata"]["uid"]
        if uid not in self.tasks or not self.bus_is_up:
            return
        runner, task = self.tasks[uid]
        standing = fold(task, self.ledgers.get(uid, ()))
        running = [one for one in self.own_ray_jobs(name) if health.read_runner(one) is RunnerState.RUNNING]
        if standing.suspended or (task.own_runner and not running):
            return
        starts = [record.entry.at_ms for record in self.ledgers.get(uid, ()) if isinstance(record.entry, Start)]
        since_ms = max((health.find_start_ms(one) or 0 for one in running), default=0)
        if not starts or starts[-1] < since_ms:
            self.write_entry(uid, Start(number=len(starts), runner=runner, at_ms=self.now_ms))
            return
        match step(task, standing, self.now_ms):
            case Work(asks=asks):
                for ask in asks:
                    text = f"Take the one that {ask.seat} knows."
                    self.write_entry(uid, answer_ask(task, standing, ask, text))
            case Record(entries):
                for entry in entries:
                    self.write_entry(uid, entry)
            case Finish(verdict):
                self.write_entry(uid, verdict)

    def run_to_the_end(self, name: str) -> None:
        for _ in range(6):
            self.run_a_step(name)

    def _of_kind(self, kind: str) -> dict[str, Body]:
        return {name: body for (of_kind, name), body in self.children.items() if of_kind == kind}

    def _runs(self, council: str) -> Runs:
        bodies = [one for one in self.deliberations.values() if one["spec"]["councilRef"]["name"] == council]
        admitted = [body["status"]["phase"] for body in bodies if read_stand(body) is Stand.ADMITTED]
        return Runs(len(admitted), admitted.count("Queued"))

    def _phases(self, council: str) -> dict[str, int]:
        phases: dict[str, int] = {}
        for body in self.deliberations.values():
            if body["spec"]["councilRef"]["name"] == council:
                phase = body["status"].get("phase", "Pending")
                phases[phase] = phases.get(phase, 0) + 1
        return phases


def abstain(seat: str, reason: Any, stage: Any = "propose") -> Abstention:
    """Return an abstention of a seat."""
    return Abstention(seat=seat, stage=stage, reason=reason)


def conditions_of(body: Body) -> dict[str, tuple[str, str]]:
    """Return status and reason of each condition."""
    return {one["type"]: (one["status"], one["reason"]) for one in body["status"].get("conditions", ())}
