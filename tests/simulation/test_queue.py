"""A crowd of Deliberations at one Council: the operator's own loops, steps and queues around a runner's own desk."""

import asyncio
import itertools
import json
from collections import Counter
from typing import Any

import pytest

from council_operator.loops import Again, Key, Loops, Settled
from council_operator.observe.council import CouncilObserver
from council_operator.observe.probes import Probes
from council_operator.plan.actions import ObjectReference
from council_operator.plan.roster import runner_name
from council_operator.reconcile import Reconciler
from council_operator.steps import build_steps
from council_operator.wakes import Wakes
from deliberation.bus.memory import MemoryBus
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task
from deliberation.runner.clock import SystemClock
from deliberation.runner.desk import Desk
from fakes.bodies import SETTINGS, council_spec, deliberation, ready_council
from fakes.fake_kubernetes import FakeKubernetes
from fakes.fake_runner import now_ms
from fakes.fake_seats import FakeSeats

Body = dict[str, Any]

PLACES = 8


class WatchedKubernetes(FakeKubernetes):
    """Tells the operator of every Deliberation that changes, as a watch does."""

    def __init__(self) -> None:
        super().__init__()
        self.wakes: Wakes | None = None
        self.changed = asyncio.Event()

    def _store(self, reference: ObjectReference, body: Body) -> None:
        super()._store(reference, body)
        if self.wakes and reference.kind == "Deliberation":
            self.wakes.deliberation_changed("MODIFIED", json.loads(json.dumps(body)))
            self.changed.set()


class RecordingBus(MemoryBus):
    """Remembers in which order tasks were published."""

    def __init__(self) -> None:
        super().__init__()
        self.admitted: list[tuple[str, str]] = []

    async def publish_task(self, run: Run, runner: str, task: Task) -> bool:
        self.admitted.append((task.namespace, task.deliberation_name))
        return await super().publish_task(run, runner, task)


class Crowd:
    """One cluster with a Council of the same name in each namespace, an operator, and a desk for each Council."""

    def __init__(self, seats: int, *namespaces: str) -> None:
        self.cluster = WatchedKubernetes()
        self.bus = RecordingBus()
        self.loops = Loops()
        self.wakes = self.cluster.wakes = Wakes(self.loops.wake, lambda: 0.0, SETTINGS)
        self.namespaces = namespaces
        self.spec = council_spec(seats=seats, runner={"maxConcurrentDeliberations": PLACES})
        self._minutes = itertools.count()
        observer = CouncilObserver(self.cluster, self.bus, self.wakes, Probes(self.bus, lambda: 0.0), SETTINGS, now_ms)
        steps = build_steps(SETTINGS, self.cluster, self.bus, observer, now_ms)
        self._reconciler = Reconciler(steps, self.cluster, self.bus, self.wakes.queues.put_aside)
        self.loops.begin(self._reconcile, self._reconciler.report)

    async def _reconcile(self, key: Key) -> Again | Settled:
        """Leave Councils alone: they are what the test says."""
        return Settled() if key.kind == "Council" else await self._reconciler.reconcile(key)

    def ask(self, name: str, namespace: str, **spec: Any) -> None:
        body = deliberation(name, answer={"type": "Boolean"}, **spec)
        body["metadata"] |= {"namespace": namespace, "uid": f"{namespace}-{name}"}
        body["metadata"]["creationTimestamp"] = f"2026-09-21T14:13:{next(self._minutes) % 60:02}Z"
        self.cluster.put(body)

    async def open(self) -> list[asyncio.Task[None]]:
        """Have every Council be Ready, with a runner."""
        desks = []
        for namespace in self.namespaces:
            body = ready_council(self.spec)
            body["metadata"] |= {"namespace": namespace, "uid": f"uid-{namespace}"}
            stored = self.cluster.put(body)
            runner = runner_name(stored, SETTINGS)
            await self.bus.ensure_task_consumer(namespace, runner)
            seats = FakeSeats(self.bus, {f"dev-{index}": "yes" for index in range(64)})
            desk = Desk(namespace, runner, self.bus, seats, SystemClock(), PLACES)
            desks.append(asyncio.create_task(desk.run()))
            self.wakes.council_changed("ADDED", stored)
            self.wakes.queues.open(namespace)
        await self.bus.watch_ledger(self.wakes.ledger_grew)
        return desks

    def phases(self, namespace: str) -> Counter[str]:
        return Counter(
            body.get("status", {}).get("phase", "")
            for reference, body in self.cluster.objects.items()
            if reference.kind == "Deliberation" and reference.namespace == namespace
        )

    async def until(self, namespace: str, succeeded: int) -> None:
        async with asyncio.timeout(500):
            while self.phases(namespace)["Succeeded"] < succeeded:
                self.cluster.changed.clear()
                await self.cluster.changed.wait()


@pytest.mark.timeout(600)
async def test_a_crowd_is_worked_off_by_priority_and_does_not_starve_another_namespace() -> None:
    number = 100
    crowd = Crowd(3, "crowded", "quiet")
    priorities = {f"q{index:04}": index % 7 - 3 for index in range(number)}
    for name, priority in priorities.items():
        crowd.ask(name, "crowded", priority=priority)
    desks = await crowd.open()
    try:
        await crowd.until("crowded", number // 10)
        crowd.ask("only", "quiet")
        await crowd.until("quiet", 1)
        assert crowd.phases("crowded")["Queued"] > number // 2
        await crowd.until("crowded", number)
    finally:
        for desk in desks:
            desk.cancel()
        await asyncio.gather(*desks, return_exceptions=True)
        await crowd.loops.close()
    admitted = [priorities[name] for namespace, name in crowd.bus.admitted if namespace == "crowded"]
    assert len(admitted) == number
    overtaken = [(one, other) for one, other in zip(admitted, admitted[PLACES:], strict=False) if other > one]
    assert overtaken == [], "only those who are called at the same time are admitted in any order"
    writes = sum(verb == "status" for verb, _, _ in crowd.cluster.writes)
    assert writes <= 30 * number
