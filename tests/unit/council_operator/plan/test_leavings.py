"""What a Deliberation that is gone leaves on the bus: its run is stopped, and then nothing of it is there any more."""

import pytest

from council_operator.plan.actions import PublishEntry, Purge
from council_operator.plan.leavings import Clearing
from deliberation.protocol.entries import Cancel
from deliberation.protocol.subjects import Run
from fakes.bodies import deliberation, ready_council
from fakes.fake_world import FakeWorld

RUN = Run("team-a", "uid-q1")
STOP = PublishEntry(RUN, Cancel())
PURGE = Purge("team-a", "uid-q1")


@pytest.fixture
def world() -> FakeWorld:
    """A Deliberation that was admitted and that no runner has taken up."""
    world = FakeWorld()
    world.create(deliberation(timeoutSeconds=60))
    world.create(ready_council())
    world.reconcile_deliberation("q1")
    return world


def assert_nothing_is_left(world: FakeWorld) -> None:
    assert (world.gone, world.tasks, world.ledgers, world.dead) == ({}, {}, {}, {})


def test_a_run_in_work_is_stopped_and_its_messages_go_when_it_is_over(world: FakeWorld) -> None:
    world.run_a_step("q1")
    body = world.deliberations["q1"]
    world.delete_deliberation("q1")
    assert world.clear_up_after("uid-q1") == Clearing((STOP,), look_again_after=0.5)
    assert world.clear_up_after("uid-q1") == Clearing((), look_again_after=0.5)
    world.deliberations["q1"] = body
    world.run_a_step("q1")
    assert world.clear_up_after("uid-q1") == Clearing((PURGE,))
    assert_nothing_is_left(world)


def test_a_silent_runner_is_waited_for_for_five_seconds(world: FakeWorld) -> None:
    world.run_a_step("q1")
    world.delete_deliberation("q1")
    world.clear_up_after("uid-q1")
    world.pass_time(4.9)
    assert world.clear_up_after("uid-q1").messages == ()
    world.pass_time(0.1)
    assert world.clear_up_after("uid-q1") == Clearing((PURGE,))
    assert_nothing_is_left(world)


def test_one_that_nobody_took_up_goes_at_once(world: FakeWorld) -> None:
    world.delete_deliberation("q1")
    assert world.clear_up_after("uid-q1") == Clearing((STOP, PURGE))
    assert_nothing_is_left(world)


def test_a_finished_one_goes_at_once(world: FakeWorld) -> None:
    world.run_to_the_end("q1")
    world.delete_deliberation("q1")
    assert world.clear_up_after("uid-q1") == Clearing((PURGE,))
    assert_nothing_is_left(world)


def test_a_suspended_one_goes_without_waiting_for_a_runner(world: FakeWorld) -> None:
    world.run_a_step("q1")
    world.edit(world.deliberations["q1"], suspend=True)
    world.reconcile_deliberation("q1")
    world.delete_deliberation("q1")
    assert world.clear_up_after("uid-q1") == Clearing((STOP, PURGE))
    assert_nothing_is_left(world)


def test_a_ledger_without_a_task_goes_too(world: FakeWorld) -> None:
    world.run_a_step("q1")
    world.tasks.clear()
    world.delete_deliberation("q1")
    assert world.clear_up_after("uid-q1") == Clearing((PURGE,))
    assert_nothing_is_left(world)
