from dataclasses import dataclass, field

from council_operator.loops import Key
from council_operator.observe.deliberation import observe
from council_operator.plan import deliberation as deliberation_plan
from council_operator.plan.actions import Apply, PublishTask
from council_operator.plan.observed import DeliberationObserved
from council_operator.queues import Queues
from deliberation.bus.memory import MemoryBus
from fakes.bodies import NAMESPACE, NOW_MS, SETTINGS, council_spec, deliberation, ready_council
from fakes.fake_kubernetes import Body, FakeKubernetes

KEY = Key("Deliberation", NAMESPACE, "q1")


@dataclass
class CountingKubernetes(FakeKubernetes):
    """A fake API server that counts which kinds were listed."""

    listed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def list_labelled(self, api_version: str, kind: str, namespace: str, selector: str) -> list[Body]:
        self.listed.append(kind)
        return list(await super().list_labelled(api_version, kind, namespace, selector))


@dataclass
class Scene:
    """A Council and a question to it."""

    cluster: CountingKubernetes = field(default_factory=CountingKubernetes)
    bus: MemoryBus = field(default_factory=MemoryBus)
    queues: Queues = field(default_factory=lambda: Queues(lambda _key: None, SETTINGS))

    def begin(self, *, mode: str) -> None:
        council = self.cluster.put(ready_council(council_spec(runner={"mode": mode})))
        question = self.cluster.put(deliberation())
        self.queues.council_changed(Key("Council", NAMESPACE, "architects"), council)
        self.queues.deliberation_changed(KEY, question)
        self.queues.open(NAMESPACE)

    async def look(self) -> DeliberationObserved:
        observed = await observe(KEY, self.cluster, self.bus, self.queues, lambda: NOW_MS)
        assert observed is not None
        return observed

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
