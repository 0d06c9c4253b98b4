from dataclasses import dataclass, field

import pytest

from council_operator.loops import Key
from council_operator.observe.council import CouncilObserver
from council_operator.observe.probes import Probes
from council_operator.plan.observed import CouncilObserved
from council_operator.wakes import Wakes
from deliberation.bus.memory import MemoryBus
from fakes.bodies import NAMESPACE, NOW_MS, SETTINGS, VLLM, council, council_spec
from fakes.fake_kubernetes import FakeKubernetes
from fakes.fake_nodes import fake_gpu_node

ON_GPU = {"name": "small", "vllm": {**VLLM["vllm"], "gpu": {"sharing": "TimeSlicing"}}}


@dataclass
class Scene:
    """A cluster with one node, and the Council "architects" to look at."""

    cluster: FakeKubernetes = field(default_factory=FakeKubernetes)

    async def look(self, *namespaces: str) -> CouncilObserved:
        bus = MemoryBus()
        wakes = Wakes(lambda _key: None, lambda: 0.0, SETTINGS)
        probes = Probes(bus, lambda: 0.0)
        observer = CouncilObserver(self.cluster, bus, wakes, probes, SETTINGS, lambda: NOW_MS, namespaces)
        observed = await observer.observe(Key("Council", NAMESPACE, "architects"))
        assert observed is not None
        return observed


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.cluster.put(fake_gpu_node())
    scene.cluster.put(council(council_spec(ON_GPU)))
    elsewhere = council(council_spec(ON_GPU), name="elsewhere")
    elsewhere["metadata"]["namespace"] = "team-b"
    scene.cluster.put(elsewhere)
    return scene


async def test_a_council_without_gpus_looks_at_no_node(scene: Scene) -> None:
    scene.cluster.put(council())
    assert (await scene.look()).gpu is None


async def test_whoever_shares_gpus_is_seen_in_all_namespaces(scene: Scene) -> None:
    gpu = (await scene.look()).gpu
    assert gpu is not None
    assert gpu.nodes is not None
    assert [node["metadata"]["name"] for node in gpu.nodes] == ["fake-gpu-a"]
    assert sorted(body["metadata"]["name"] for body in gpu.councils) == ["architects", "elsewhere"]


async def test_namespaces_that_are_not_served_are_not_looked_at(scene: Scene) -> None:
    gpu = (await scene.look(NAMESPACE)).gpu
    assert gpu is not None
    assert [body["metadata"]["name"] for body in gpu.councils] == ["architects"]


async def test_nodes_that_may_not_be_read_are_unknown_and_the_rest_goes_on(scene: Scene) -> None:
    scene.cluster.forbidden_kinds.add("Node")
    gpu = (await scene.look()).gpu
    assert gpu is not None
    assert gpu.nodes is None
    assert len(gpu.councils) == 2


async def test_whoever_shares_a_server_that_may_sleep_is_seen_with_its_use(scene: Scene) -> None:
    sleepy = {"name": "small", "vllm": {**VLLM["vllm"], "idleSeconds": 60}}
    scene.cluster.put(council(council_spec(sleepy)))
    scene.cluster.put(council(name="other"))
    observed = await scene.look()
    assert sorted(body["metadata"]["name"] for body in observed.neighbours) == ["architects", "other"]
    assert set(observed.activity) == {(NAMESPACE, "architects"), (NAMESPACE, "other")}
    scene.cluster.put(council())
    assert (await scene.look()).neighbours == ()
