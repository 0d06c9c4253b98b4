from typing import Any

import pytest

from council_operator.plan.observed import Turn
from council_operator.status.conditions import format_time
from fakes.bodies import council, deliberation, ready_council
from fakes.fake_world import FakeWorld, conditions_of


def warming_world(**spec: Any) -> FakeWorld:
    world = FakeWorld()
    world.create(deliberation(timeoutSeconds=60, **spec))
    world.create(council())
    world.reconcile_council("architects")
    world.reconcile_deliberation("q1")
    return world


def look(world: FakeWorld, after_seconds: float) -> str:
    world.pass_time(after_seconds)
    world.reconcile_deliberation("q1")
    phase = world.deliberations["q1"]["status"]["phase"]
    assert isinstance(phase, str)
    return phase


def message(world: FakeWorld, kind: str) -> str:
    conditions = world.deliberations["q1"]["status"]["conditions"]
    return str(next(one["message"] for one in conditions if one["type"] == kind))


def test_waiting_for_a_council_takes_from_the_timeout() -> None:
    world = warming_world()
    assert world.deliberations["q1"]["status"]["startTime"] == "2026-09-21T14:13:20Z"
    assert look(world, 40) == "Warming"
    world.councils["architects"] = ready_council()
    world.reconcile_deliberation("q1")
    _, task = world.tasks["uid-q1"]
    assert task.deadline_ms == world.now_ms + 20_000
    assert task.started_at_ms == world.now_ms
    assert world.deliberations["q1"]["status"]["startTime"] == "2026-09-21T14:13:20Z"


def test_a_council_that_does_not_come_up_in_time_ends_the_wait_with_what_it_waited_for() -> None:
    world = warming_world()
    assert look(world, 59) == "Warming"
    assert look(world, 1) == "Failed"
    body = world.deliberations["q1"]
    assert conditions_of(body)["Succeeded"] == conditions_of(body)["Ready"] == ("False", "TimedOut")
    assert conditions_of(body)["Stalled"] == ("True", "TimedOut")
    told = message(world, "Succeeded")
    assert "60 s passed while it waited for its Council" in told
    assert "Council architects: " in told
    assert "RayJob runner-" in told or "Deployment model-" in told
    assert body["status"]["completionTime"] == "2026-09-21T14:14:20Z"
    assert [event.reason for event in world.events] == ["TimedOut"]


def test_the_end_of_a_wait_is_final_and_costs_nothing() -> None:
    world = warming_world()
    look(world, 60)
    told = world.deliberations["q1"]["status"]
    world.councils["architects"] = ready_council()
    assert world.reconcile_deliberation("q1").actions == ()
    assert world.deliberations["q1"]["status"] == told
    assert world.tasks == {}


def test_a_council_that_is_ready_only_when_the_time_is_over_is_not_asked() -> None:
    world = warming_world()
    world.councils["architects"] = ready_council()
    assert look(world, 61) == "Failed"
    assert world.tasks == {}
    assert "which it is now" in message(world, "Succeeded")


def test_a_council_that_does_not_exist_yet_is_waited_for_without_limit() -> None:
    world = FakeWorld()
    world.create(deliberation(timeoutSeconds=60))
    world.reconcile_deliberation("q1")
    assert look(world, 1_000_000) == "Pending"
    assert "startTime" not in world.deliberations["q1"]["status"]
    world.create(ready_council())
    world.reconcile_deliberation("q1")
    assert world.tasks["uid-q1"][1].deadline_ms == world.now_ms + 60_000


@pytest.mark.parametrize(("passed", "again"), [(0, 60.0), (50, 10.0)])
def test_it_is_looked_at_again_when_the_wait_ends(passed: float, again: float) -> None:
    world = warming_world()
    world.pass_time(passed)
    assert world.reconcile_deliberation("q1").look_again_after == again


def test_a_bus_that_is_away_ends_no_wait() -> None:
    world = warming_world()
    world.bus_is_up = False
    assert look(world, 61) == "Warming"
    world.bus_is_up = True
    assert look(world, 1) == "Failed"


def test_a_cancelled_wait_is_cancelled_however_long_it_was() -> None:
    world = warming_world()
    world.deliberations["q1"]["spec"]["cancel"] = True
    assert look(world, 61) == "Cancelled"
    assert [event.reason for event in world.events] == ["Cancelled"]


def test_waiting_for_its_turn_is_not_charged_even_after_the_council_was_waited_for() -> None:
    world = warming_world()
    world.councils["architects"] = ready_council()
    world.turn = Turn(is_next=False, position=3)
    assert look(world, 30) == "Queued"
    assert "startTime" not in world.deliberations["q1"]["status"]
    assert look(world, 3600) == "Queued"
    world.turn = Turn()
    look(world, 0)
    assert world.tasks["uid-q1"][1].deadline_ms == world.now_ms + 60_000


def test_a_queue_that_is_longer_than_the_timeout_ends_nobody_who_waited_for_the_council_before() -> None:
    world = warming_world()
    world.councils["architects"] = ready_council()
    world.turn = Turn(is_next=False, position=500)
    assert look(world, 61) == "Queued"
    assert world.events == []


def test_whom_the_queue_has_not_taken_in_yet_waits_for_free() -> None:
    world = warming_world()
    world.turn = Turn(is_decided=False, is_next=False)
    assert look(world, 61) == "Warming"


def test_a_council_that_goes_away_and_comes_back_is_waited_for_anew() -> None:
    world = warming_world()
    away = world.councils.pop("architects")
    assert look(world, 59) == "Pending"
    world.create(away)
    assert look(world, 59) == "Warming"
    assert look(world, 59) == "Warming"
    assert look(world, 1) == "Failed"


def test_a_suspended_council_takes_nothing_from_the_timeout() -> None:
    world = warming_world()
    world.edit(world.councils["architects"], suspend=True)
    world.reconcile_council("architects")
    assert look(world, 61) == "Suspended"
    assert "startTime" not in world.deliberations["q1"]["status"]
    world.edit(world.councils["architects"], suspend=False)
    world.reconcile_council("architects")
    assert look(world, 1000) == "Warming"


def test_a_suspended_deliberation_is_not_charged_and_has_its_whole_time_again() -> None:
    world = warming_world()
    world.edit(world.deliberations["q1"], suspend=True)
    assert look(world, 59) == "Suspended"
    world.edit(world.deliberations["q1"], suspend=False)
    assert look(world, 1000) == "Warming"
    assert look(world, 50) == "Warming"
    world.councils["architects"] = ready_council()
    world.reconcile_deliberation("q1")
    assert world.tasks["uid-q1"][1].deadline_ms == world.now_ms + 10_000


def test_a_run_that_was_suspended_has_its_whole_time_again_though_it_waited_before_it() -> None:
    world = warming_world()
    look(world, 40)
    world.councils["architects"] = ready_council()
    world.reconcile_deliberation("q1")
    world.run_a_step("q1")
    world.edit(world.deliberations["q1"], suspend=True)
    assert look(world, 1) == "Suspended"
    world.edit(world.deliberations["q1"], suspend=False)
    look(world, 1000)
    _, task = world.tasks["uid-q1"]
    assert (task.resumed, task.deadline_ms) == (1, world.now_ms + 60_000)
    assert world.deliberations["q1"]["status"]["startTime"] == format_time(world.now_ms)


def test_a_suspended_run_whose_task_has_aged_out_goes_on_with_its_whole_time() -> None:
    world = warming_world()
    world.councils["architects"] = ready_council()
    world.reconcile_deliberation("q1")
    world.run_a_step("q1")
    world.edit(world.deliberations["q1"], suspend=True)
    look(world, 1)
    world.tasks.clear()
    assert look(world, 90_000) == "Suspended"
    world.councils["architects"] = council()
    world.edit(world.deliberations["q1"], suspend=False)
    assert look(world, 1) == "Warming"
    assert look(world, 1000) == "Warming"
    world.councils["architects"] = ready_council()
    world.reconcile_deliberation("q1")
    _, task = world.tasks["uid-q1"]
    assert (task.resumed, task.deadline_ms) == (1, world.now_ms + 60_000)


def test_a_lost_task_that_is_out_of_time_ends_at_once_and_keeps_what_there_was() -> None:
    world = warming_world()
    world.councils["architects"] = ready_council()
    world.reconcile_deliberation("q1")
    world.tasks.clear()
    world.councils["architects"] = council()
    look(world, 100)
    assert world.events[-1].reason != "TimedOut"
    world.councils["architects"] = ready_council()
    world.reconcile_deliberation("q1")
    assert world.tasks["uid-q1"][1].deadline_ms == world.now_ms + 1
