from typing import Any

import pytest

from council_operator.plan import deliberation as deliberation_plan
from council_operator.plan.actions import Delete, EmitEvent, Plan, PublishTask
from council_operator.plan.observed import Turn
from deliberation.protocol.entries import Abstention, Outcome, Start
from fakes.bodies import NOW_MS, council, council_spec, ready_council
from fakes.fake_world import conditions_of
from unit.council_operator.plan.worlds import admitted_world, entries, kinds, started_world, waiting_world

Body = dict[str, Any]


def test_a_question_to_a_ready_council_becomes_one_task_and_nothing_holds_its_deletion() -> None:
    world = waiting_world()
    world.create(ready_council())
    plan = world.reconcile_deliberation("q1")
    assert kinds(plan) == [PublishTask, EmitEvent]
    runner, task = world.tasks["uid-q1"]
    assert runner.startswith("runner-")
    assert task.started_at_ms == NOW_MS


def test_a_task_laid_aside_ends_with_abstentions_and_says_what_to_do() -> None:
    world = admitted_world()
    world.dead["uid-q1"] = "DeliveredTooOften"
    world.reconcile_deliberation("q1")
    assert conditions_of(world.deliberations["q1"])["Ready"] == ("False", "DeadLetter")
    world.settle()
    status = world.deliberations["q1"]["status"]
    assert conditions_of(world.deliberations["q1"])["Succeeded"] == ("False", "DeadLetter")
    message = next(one["message"] for one in status["conditions"] if one["type"] == "Succeeded")
    assert "ask again with another Deliberation" in message
    assert "3 InternalError" in message
    assert status["phase"] == "Failed"
    assert len(status["votes"]["abstentions"]) == 3


def test_answers_that_came_before_a_task_was_laid_aside_are_kept() -> None:
    world = started_world()
    world.run_a_step("q1")
    world.dead["uid-q1"] = "DeliveredTooOften"
    world.settle()
    assert conditions_of(world.deliberations["q1"])["Succeeded"] == ("False", "DeadLetter")
    assert len(world.deliberations["q1"]["status"]["proposals"]) == 3


def test_an_admitted_question_is_left_to_its_runner() -> None:
    world = admitted_world()
    plan = world.reconcile_deliberation("q1")
    assert plan.actions == ()
    assert plan.look_again_after == 60.0


def test_the_operator_looks_again_when_the_runner_is_due() -> None:
    world = started_world()
    world.pass_time(50)
    assert world.reconcile_deliberation("q1").look_again_after == 25.0


@pytest.mark.parametrize(
    "body",
    [
        None,
        council(),
        {**ready_council(), "status": {}},
        {**ready_council(), "metadata": {**ready_council()["metadata"], "generation": 2}},
        {**ready_council(), "metadata": {**ready_council()["metadata"], "deletionTimestamp": "2026-09-21T14:13:20Z"}},
    ],
)
def test_a_question_waits_for_a_council_that_is_ready_as_it_is_now(body: Body | None) -> None:
    world = waiting_world()
    if body:
        world.create(body)
    assert world.reconcile_deliberation("q1").actions == ()
    assert world.tasks == {}


def test_a_quorum_above_the_seats_is_never_admitted() -> None:
    world = waiting_world(quorum=4)
    world.create(ready_council())
    assert world.reconcile_deliberation("q1") == Plan()


def test_until_its_turn_comes_a_question_is_left_alone() -> None:
    world = waiting_world()
    world.create(ready_council())
    world.turn = Turn(is_next=False, position=5)
    assert world.reconcile_deliberation("q1") == Plan(look_again_after=600.0)
    assert world.tasks == {}
    world.turn = Turn(is_next=True, position=1)
    world.reconcile_deliberation("q1")
    assert "uid-q1" in world.tasks


def test_a_question_that_finds_the_queue_full_is_refused_for_good() -> None:
    world = waiting_world()
    world.create(ready_council())
    world.turn = Turn(is_next=False, most_waiting=7)
    plan = world.reconcile_deliberation("q1")
    assert [(event.type, event.reason) for event in world.events] == [("Warning", "QueueFull")]
    assert kinds(plan) == [EmitEvent]
    assert deliberation_plan.is_settled(world.observe_deliberation("q1"))
    world.turn = Turn()
    assert world.reconcile_deliberation("q1") == Plan()
    assert world.tasks == {}


def test_a_finished_question_is_deleted_when_its_time_has_come() -> None:
    world = started_world(ttlSecondsAfterFinished=100)
    world.run_to_the_end("q1")
    world.reconcile_deliberation("q1")
    assert deliberation_plan.will_expire(world.observe_deliberation("q1"))
    assert world.reconcile_deliberation("q1") == Plan(look_again_after=100.0)
    world.pass_time(99)
    assert world.reconcile_deliberation("q1") == Plan(look_again_after=1.0)
    world.pass_time(1)
    assert kinds(world.reconcile_deliberation("q1")) == [Delete]
    assert world.deliberations == {}


def test_a_question_without_such_a_time_and_one_in_work_are_kept() -> None:
    finished = started_world()
    finished.run_to_the_end("q1")
    finished.reconcile_deliberation("q1")
    assert not deliberation_plan.will_expire(finished.observe_deliberation("q1"))
    assert not deliberation_plan.will_expire(started_world(ttlSecondsAfterFinished=0).observe_deliberation("q1"))


def test_without_the_bus_nothing_is_decided() -> None:
    world = waiting_world(cancel=True)
    world.create(ready_council())
    world.bus_is_up = False
    plan = world.reconcile_deliberation("q1")
    assert plan.actions == ()
    assert plan.look_again_after == 10.0
    assert not deliberation_plan.is_settled(world.observe_deliberation("q1"))


def test_until_the_deadline_and_a_while_after_it_the_runner_is_trusted() -> None:
    world = started_world()
    world.pass_time(74.9)
    assert world.reconcile_deliberation("q1").actions == ()


def test_then_the_operator_ends_the_run_as_the_engine_would() -> None:
    world = started_world()
    world.pass_time(75)
    assert [type(entry) for entry in entries(world.reconcile_deliberation("q1"))] == [Abstention] * 3
    (verdict,) = entries(world.reconcile_deliberation("q1"))
    assert verdict.outcome is Outcome.TIMED_OUT


def test_a_run_that_nobody_ever_took_ends_too() -> None:
    world = admitted_world()
    world.pass_time(75)
    for _ in range(3):
        world.reconcile_deliberation("q1")
    assert world.deliberations["q1"]["status"]["phase"] == "Failed"


def test_the_end_is_told_once() -> None:
    world = started_world()
    world.run_to_the_end("q1")
    assert kinds(world.reconcile_deliberation("q1")) == [EmitEvent]
    assert world.reconcile_deliberation("q1") == Plan()
    assert [event.reason for event in world.events] == ["TaskPublished", "Succeeded"]


def test_events_hold_no_word_of_a_user_or_a_model() -> None:
    world = started_world(question="Where is the treasure?")
    world.run_to_the_end("q1")
    world.reconcile_deliberation("q1")
    text = " ".join(event.message for event in world.events)
    assert "treasure" not in text
    assert "Take the one" not in text


def test_d6_a_finished_question_is_left_alone_whatever_happens_to_its_ledger() -> None:
    world = started_world()
    world.run_to_the_end("q1")
    world.reconcile_deliberation("q1")
    world.ledgers.clear()
    world.tasks.clear()
    assert world.reconcile_deliberation("q1") == Plan()
    assert deliberation_plan.is_settled(world.observe_deliberation("q1"))


def test_a_run_goes_on_without_its_council() -> None:
    world = started_world()
    del world.councils["architects"]
    assert world.reconcile_deliberation("q1").actions == ()
    world.run_to_the_end("q1")
    world.reconcile_deliberation("q1")
    assert world.deliberations["q1"]["status"]["phase"] == "Succeeded"


def test_a_changed_council_does_not_change_a_run() -> None:
    world = started_world()
    world.create(ready_council(council_spec(seats=9)))
    world.reconcile_deliberation("q1")
    assert len(world.tasks["uid-q1"][1].seats) == 3


def test_a_task_that_the_bus_has_lost_is_published_again_with_the_time_that_is_left() -> None:
    world = started_world()
    world.reconcile_deliberation("q1")
    world.tasks.clear()
    world.ledgers.clear()
    world.pass_time(20)
    assert kinds(world.reconcile_deliberation("q1")) == [PublishTask, EmitEvent]
    assert world.tasks["uid-q1"][1].deadline_ms == NOW_MS + 60_000


def test_a_task_that_the_bus_has_lost_keeps_its_deadline_while_the_council_is_away() -> None:
    world = started_world()
    world.reconcile_deliberation("q1")
    world.tasks.clear()
    world.ledgers.clear()
    world.councils.clear()
    world.reconcile_deliberation("q1")
    world.pass_time(20)
    world.create(ready_council())
    world.reconcile_deliberation("q1")
    assert world.tasks["uid-q1"][1].deadline_ms == NOW_MS + 60_000


def test_is_settled_follows_the_verdict() -> None:
    world = started_world()
    assert not deliberation_plan.is_settled(world.observe_deliberation("q1"))
    world.run_to_the_end("q1")
    assert deliberation_plan.is_settled(world.observe_deliberation("q1"))


def test_a_start_alone_changes_no_plan() -> None:
    world = admitted_world()
    world.write_entry("uid-q1", Start(runner="r", at_ms=NOW_MS))
    assert world.reconcile_deliberation("q1").actions == ()
    assert conditions_of(world.deliberations["q1"])["Succeeded"] == ("Unknown", "Deliberating")
