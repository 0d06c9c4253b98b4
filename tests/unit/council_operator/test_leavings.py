"""Who is gone leaves nothing on the bus for long, and who is there keeps everything."""

import pytest

from council_operator.leavings import SWEEP_SECONDS, Leavings
from council_operator.loops import Again, Key, Settled
from council_operator.wakes import key_of_leavings
from deliberation.bus.memory import MemoryBus
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol.entries import Outcome, Start, Verdict
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task
from fakes.bodies import deliberation, ready_council
from fakes.fake_kubernetes import FakeKubernetes
from fakes.fake_world import FakeWorld

GONE = key_of_leavings("team-a", "uid-q1")
RUN = Run("team-a", "uid-q1")


class World:
    """A bus with the messages of one run, and a cluster that may have its Deliberation."""

    def __init__(self, task: Task) -> None:
        self.bus = MemoryBus()
        self.kubernetes = FakeKubernetes()
        self.task = task
        self.now = 100.0
        self.woken: list[Key] = []
        self.known: dict[str, frozenset[str]] = {"team-a": frozenset()}
        self.leavings = Leavings(self.kubernetes, self.bus, self.woken.append, lambda: self.known, lambda: self.now)

    async def publish(self) -> None:
        await self.bus.publish_task(RUN, "runner", self.task)
        await self.bus.publish_entry(RUN, Start(runner="runner", at_ms=1))

    async def read_keys(self) -> list[str]:
        return [record.key for record in await self.bus.read_ledger(RUN)]


@pytest.fixture
async def world() -> World:
    """A Deliberation that is gone, and whose runner has begun."""
    admitted = FakeWorld()
    admitted.create(deliberation())
    admitted.create(ready_council())
    admitted.reconcile_deliberation("q1")
    _, task = admitted.tasks["uid-q1"]
    world = World(task)
    await world.publish()
    return world


async def test_a_run_in_work_is_stopped_and_five_seconds_later_nothing_is_left(world: World) -> None:
    assert await world.leavings.look(GONE) == Again(0.5)
    assert await world.read_keys() == ["start", "cancel"]
    world.now += 4.9
    assert await world.leavings.look(GONE) == Again(0.5)
    world.now += 0.1
    assert isinstance(await world.leavings.look(GONE), Settled)
    assert await world.read_keys() == []
    assert await world.bus.read_task("team-a", "uid-q1") is None


async def test_nothing_is_waited_for_when_the_runner_has_concluded(world: World) -> None:
    await world.leavings.look(GONE)
    await world.bus.publish_entry(RUN, Verdict(outcome=Outcome.CANCELLED, counted=(), decided_at_ms=2))
    assert isinstance(await world.leavings.look(GONE), Settled)
    assert await world.read_keys() == []


async def test_one_that_is_there_keeps_its_messages_whoever_says_that_it_is_gone(world: World) -> None:
    world.kubernetes.put(deliberation())
    assert isinstance(await world.leavings.look(GONE), Settled)
    assert await world.read_keys() == ["start"]


async def test_another_one_of_the_same_name_is_not_that_one(world: World) -> None:
    again = deliberation()
    again["metadata"]["uid"] = "uid-of-another"
    world.kubernetes.put(again)
    await world.leavings.look(GONE)
    assert await world.read_keys() == ["start", "cancel"]


async def test_a_ledger_whose_task_is_lost_goes_too(world: World) -> None:
    await world.bus.withdraw_tasks("team-a", "uid-q1")
    assert isinstance(await world.leavings.look(GONE), Settled)
    assert await world.read_keys() == []


async def test_without_the_bus_nothing_is_forgotten(world: World) -> None:
    world.bus.lose_connection()
    with pytest.raises(BusUnavailableError):
        await world.leavings.look(GONE)
    world.bus.restore_connection()
    assert await world.leavings.look(GONE) == Again(0.5)


async def test_a_sweep_finds_those_that_nobody_told_of(world: World) -> None:
    assert await world.leavings.sweep() == Again(SWEEP_SECONDS)
    assert world.woken == [GONE]


async def test_a_sweep_leaves_those_alone_that_are_known(world: World) -> None:
    world.known = {"team-a": frozenset({"uid-q1"}), "other": frozenset()}
    await world.leavings.sweep()
    assert world.woken == []
