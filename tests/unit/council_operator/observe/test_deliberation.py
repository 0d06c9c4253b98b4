from dataclasses import dataclass, field

import pytest

from council_operator.loops import Key
from council_operator.observe.deliberation import observe
from council_operator.plan import deliberation as deliberation_plan
from council_operator.plan.actions import Apply, ObjectReference, PublishTask
from council_operator.plan.observed import DeliberationObserved
from council_operator.plan.waiting import is_council_ready
from council_operator.wakes import Wakes
from deliberation.bus.memory import MemoryBus
from deliberation.protocol.entries import Suspend
from deliberation.protocol.subjects import Run
from fakes.bodies import NAMESPACE, NOW_MS, SETTINGS, council, council_spec, deliberation, ready_council
from fakes.fake_kubernetes import Body, FakeKubernetes

KEY = Key("Deliberation", NAMESPACE, "q1")


@dataclass
class CountingKubernetes(FakeKubernetes):
    """A fake API server that counts which kinds were listed, and which were read."""

    listed: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def find(self, reference: ObjectReference) -> Body | None:
        self.read.append(reference.kind)
        return await super().find(reference)

    async def list_labelled(self, api_version: str, kind: str, namespace: str, selector: str) -> list[Body]:
        self.listed.append(kind)
        return list(await super().list_labelled(api_version, kind, namespace, selector))


@dataclass
class Scene:
    """A Council and a question to it."""

    cluster: CountingKubernetes = field(default_factory=CountingKubernetes)
    bus: MemoryBus = field(default_factory=MemoryBus)
    wakes: Wakes = field(default_factory=lambda: Wakes(lambda _key: None, lambda: 0.0, SETTINGS))

    def begin(self, *, mode: str) -> None:
        council = self.cluster.put(ready_council(council_spec(runner={"mode": mode})))
        question = self.cluster.put(deliberation())
        self.wakes.council_changed("ADDED", council)
        self.wakes.deliberation_changed("ADDED", question)
        self.wakes.queues.open(NAMESPACE)

    async def look(self, before: DeliberationObserved | None = None) -> DeliberationObserved:
        observed = await observe(KEY, self.cluster, self.bus, self.wakes, lambda: NOW_MS, before)
        assert observed is not None
        return observed

    def tell_of_the_admission(self) -> None:
        """Have the status say that the question was admitted."""
        conditions = [{"type": "Admitted", "status": "True"}]
        self.cluster.put({**deliberation(), "status": {"phase": "Deliberating", "conditions": conditions}})

    async def admit(self) -> None:
        for action in deliberation_plan.plan(await self.look(), SETTINGS).actions:
            if isinstance(action, Apply):
                await self.cluster.apply(action.body, action.field_manager)
            if isinstance(action, PublishTask):
                await self.bus.publish_task(action.run, action.runner, action.task)


async def test_the_ray_jobs_of_its_own_runner_are_seen_and_no_others() -> None:
    scene = Scene()
    scene.begin(mode="PerDeliberation")
    await scene.admit()
    others = {"councils.dev/deliberation": "somebody-else"}
    metadata = {"name": "d-other-a1", "namespace": NAMESPACE, "labels": others}
    scene.cluster.put({"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": metadata})
    observed = await scene.look()
    assert observed.task is not None
    assert list(observed.ray_jobs) == [f"{observed.task.own_runner}-a1"]


async def test_questions_to_a_warm_council_cost_no_list_of_ray_jobs() -> None:
    scene = Scene()
    scene.begin(mode="Warm")
    await scene.admit()
    assert (await scene.look()).ray_jobs == {}
    assert scene.cluster.listed == []


async def test_a_council_that_turned_warm_hides_no_ray_job_of_before() -> None:
    scene = Scene()
    scene.begin(mode="PerDeliberation")
    await scene.admit()
    scene.cluster.put(ready_council(council_spec(runner={"mode": "Warm"})))
    assert len((await scene.look()).ray_jobs) == 1


async def test_of_a_finished_question_only_one_that_did_not_succeed_is_looked_after() -> None:
    scene = Scene()
    scene.begin(mode="PerDeliberation")
    await scene.admit()
    runner = {"rayJob": "d-x-a1", "attempt": 1}
    for phase, succeeded, found in (("Succeeded", "True", 0), ("Cancelled", "False", 1)):
        conditions = [{"type": "Succeeded", "status": succeeded}]
        scene.cluster.put({**deliberation(), "status": {"phase": phase, "conditions": conditions, "runner": runner}})
        assert len((await scene.look()).ray_jobs) == found


async def test_a_cluster_that_has_lost_kuberay_says_so() -> None:
    scene = Scene()
    scene.begin(mode="PerDeliberation")
    scene.cluster.absent_kinds.add("RayJob")
    assert (await scene.look()).kuberay_installed is False


async def test_of_a_run_in_work_the_watch_tells_how_its_council_does() -> None:
    scene = Scene()
    scene.begin(mode="Warm")
    await scene.admit()
    scene.tell_of_the_admission()
    scene.cluster.read.clear()
    observed = await scene.look()
    assert scene.cluster.read == ["Deliberation"]
    assert is_council_ready(observed.council)
    scene.wakes.council_changed("DELETED", ready_council())
    await scene.look()
    assert scene.cluster.read == ["Deliberation", "Deliberation", "Council"]


@pytest.mark.parametrize("case", ["waits", "has a runner of its own", "was suspended, which its status does not say"])
async def test_where_the_council_decides_it_is_read_whatever_the_watch_has_told(case: str) -> None:
    scene = Scene()
    scene.begin(mode="PerDeliberation" if "own" in case else "Warm")
    if case != "waits":
        await scene.admit()
        scene.tell_of_the_admission()
    if "suspended" in case:
        await scene.bus.publish_entry(Run(NAMESPACE, "uid-q1"), Suspend(number=0))
    scene.cluster.put(council())
    observed = await scene.look()
    assert not is_council_ready(observed.council)


async def test_after_acting_neither_the_question_nor_its_council_is_read_again() -> None:
    scene = Scene()
    scene.begin(mode="Warm")
    before = await scene.look()
    await scene.admit()
    scene.cluster.read.clear()
    observed = await scene.look(before)
    assert scene.cluster.read == []
    assert observed.task is not None
    assert (observed.body, observed.council) == (before.body, before.council)
