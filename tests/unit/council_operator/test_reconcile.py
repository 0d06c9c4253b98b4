"""A whole Deliberation, the operator crashing before and after each write to the cluster and to the bus."""

import copy
import itertools
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from council_operator.kube.port import KubernetesError
from council_operator.loops import Key, Settled
from council_operator.observe.council import CouncilObserver
from council_operator.observe.probes import Probes
from council_operator.observe.queues import fill, open_after_roll_call
from council_operator.plan.settings import Images, RenderSettings
from council_operator.reconcile import Reconciler
from council_operator.steps import build_steps
from council_operator.wakes import Wakes
from deliberation.bus.memory import MemoryBus
from deliberation.bus.port import Bus
from deliberation.protocol.entries import LedgerEntry
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task
from fakes.fake_kubernetes import FakeKubernetes, reference_of
from fakes.fake_runner import FakeRunner, now_ms

SETTINGS = RenderSettings(Images("o:1", "r:1", "v:1", "vc:1"), "nats://bus", "runner", "p", b"k")
KEY = Key("Deliberation", "default", "question")
API = "councils.dev/v1alpha1"

COUNCIL: dict[str, Any] = {
    "apiVersion": API,
    "kind": "Council",
    "metadata": {"namespace": "default", "name": "architects"},
    "spec": {
        "models": [{"name": "small", "endpoint": {"url": "http://llm/v1", "modelName": "m"}}],
        "members": [{"name": "dev", "role": "Developer", "modelRef": "small", "seats": 3}],
    },
    "status": {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1}]},
}
QUESTION: dict[str, Any] = {
    "apiVersion": API,
    "kind": "Deliberation",
    "metadata": {"namespace": "default", "name": "question"},
    "spec": {"councilRef": {"name": "architects"}, "question": "Is it?", "answer": {"type": "Boolean"}},
}


class Crash(BaseException):
    """The operator's process ends here: nothing of it may catch this."""


class Countdown:
    """Ends the process at its n-th call."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash


class CrashingBus(MemoryBus):
    """The bus in memory, with a crash before and after each write of the operator."""

    def __init__(self, crash: Callable[[], None]) -> None:
        super().__init__()
        self.crash = crash
        self.published: list[str] = []

    async def publish_task(self, run: Run, runner: str, task: Task) -> bool:
        self.crash()
        created = await super().publish_task(run, runner, task)
        self.published += [runner] * created
        self.crash()
        return created

    async def publish_entry(self, run: Run, entry: LedgerEntry) -> bool:
        self.crash()
        created = await super().publish_entry(run, entry)
        self.crash()
        return created


class World:
    """A cluster and a bus that outlive the operator's process."""

    def __init__(self, crash_at: int, council: dict[str, Any] = COUNCIL) -> None:
        self.crash = Countdown(crash_at)
        self.kubernetes = FakeKubernetes(self.crash)
        self.bus = CrashingBus(self.crash)
        self.kubernetes.put(council)
        self.kubernetes.put(QUESTION)
        self.crashes = 0

    async def settle(self) -> None:
        """Run the operator until it rests, starting it again after each crash."""
        reconciler = await self.start()
        for _ in range(20):
            try:
                outcome = await reconciler.reconcile(KEY)
            except Crash:
                self.crashes += 1
                reconciler = await self.start()
                continue
            if isinstance(outcome, Settled) or not outcome.acted:
                return
        raise AssertionError("the operator does not come to rest")

    async def run_seats(self) -> None:
        """Have the runner work the task off, if there is one."""
        await self.bus.ensure_task_consumer("default", self.bus.published[0])
        runner = FakeRunner(self.bus, "default", self.bus.published[0])
        run, task = await runner.take()
        await runner.finish(run, task)

    def status(self) -> dict[str, Any]:
        return copy.deepcopy(self.kubernetes.objects[reference_of(QUESTION)]["status"])

    async def start(self) -> Reconciler:
        return await build_reconciler(self.kubernetes, self.bus)


async def build_reconciler(kubernetes: FakeKubernetes, bus: Bus) -> Reconciler:
    """Return the reconciler of an operator that has just started, and whose watch of Councils is late."""
    wakes = Wakes(lambda _key: None, lambda: 0.0, SETTINGS)
    for body in kubernetes.objects.values():
        if body["kind"] == "Council":
            wakes.council_changed("ADDED", {**body, "status": {}})
    await fill(wakes.queues, kubernetes, ())
    await open_after_roll_call(wakes.queues, bus, "default")
    councils = CouncilObserver(kubernetes, bus, wakes, Probes(bus, lambda: 0.0), SETTINGS, now_ms)
    return Reconciler(build_steps(SETTINGS, kubernetes, bus, councils, now_ms), kubernetes, bus)


async def live(crash_at: int) -> World:
    world = World(crash_at)
    await world.settle()
    quiet, world.bus.crash = world.bus.crash, lambda: None
    await world.run_seats()
    world.bus.crash = quiet
    await world.settle()
    return world


def timeless(status: dict[str, Any]) -> dict[str, Any]:
    """Return the status without what the runner's clock put into it, and without ids of one fake world."""
    for field in ("startTime", "completionTime", "council", "transcriptRef"):
        status.pop(field, None)
    status["usage"].pop("wallMilliseconds", None)
    for condition in status["conditions"]:
        condition.pop("lastTransitionTime")
    return status


async def test_a_crash_at_any_write_changes_nothing_in_the_end() -> None:
    untouched = await live(crash_at=-1)
    expected = timeless(untouched.status())
    assert expected["phase"] == "Succeeded"
    assert expected["result"]["answer"] == "true"
    writes = -1 - untouched.crash.left
    assert writes >= 5
    for crash_at in range(1, writes + 1):
        world = await live(crash_at)
        assert world.crashes == 1, crash_at
        assert timeless(world.status()) == expected, crash_at
        assert len(world.bus.published) == 1, crash_at


async def test_a_crash_at_any_write_admits_nobody_beyond_the_places() -> None:
    one_place = {**COUNCIL, "spec": {**COUNCIL["spec"], "runner": {"maxConcurrentDeliberations": 1}}}
    urgent = {**QUESTION, "metadata": {**QUESTION["metadata"], "name": "urgent"}}
    urgent["spec"] = {**QUESTION["spec"], "priority": 9}
    first: list[str] = []
    for crash_at in itertools.count(1):
        world = World(crash_at, one_place)
        reconciler = await world.start()
        with suppress(Crash):
            while not isinstance(outcome := await reconciler.reconcile(KEY), Settled) and outcome.acted:
                pass
        if world.crash.left > 0:
            break
        world.kubernetes.put(urgent)
        reconciler = await world.start()
        for key in (Key("Deliberation", "default", "urgent"), KEY) * 3:
            await reconciler.reconcile(key)
        (uid,) = await world.bus.list_deliberations("default")
        task = await world.bus.read_task("default", uid)
        assert task is not None
        first.append(task.deliberation_name)
    assert sorted(set(first)) == ["question", "urgent"]


async def test_a_finished_deliberation_is_never_written_again() -> None:
    world = await live(crash_at=-1)
    before = len(world.kubernetes.writes)
    await world.settle()
    assert len(world.kubernetes.writes) == before


async def test_an_object_that_is_gone_settles() -> None:
    world = World(crash_at=-1)
    del world.kubernetes.objects[reference_of(QUESTION)]
    outcome = await (await build_reconciler(world.kubernetes, world.bus)).reconcile(KEY)
    assert isinstance(outcome, Settled)


async def test_the_third_failure_in_a_row_becomes_an_event(caplog: pytest.LogCaptureFixture) -> None:
    world = World(crash_at=-1)
    reconciler = await build_reconciler(world.kubernetes, world.bus)
    error = KubernetesError(403, "Forbidden", "deployments is forbidden")
    with caplog.at_level(logging.WARNING):
        for failures in (1, 2, 3, 4):
            await reconciler.report(KEY, error, failures)
    events = [body for body in world.kubernetes.objects.values() if body["kind"] == "Event"]
    assert len(events) == 1
    assert "deployments is forbidden" in events[0]["message"]
    assert caplog.text.count("default/question") == 4
