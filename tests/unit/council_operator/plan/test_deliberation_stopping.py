"""Deliberations that their users cancel, suspend, resume or delete."""

from council_operator.plan import deliberation as deliberation_plan
from council_operator.plan.actions import EmitEvent, Plan, PublishTask
from council_operator.plan.observed import Turn
from deliberation.protocol.entries import Cancel, Outcome, Proposal, Suspend, Verdict
from fakes.bodies import NOW_MS, ready_council
from fakes.fake_world import FakeWorld, conditions_of
from unit.council_operator.plan.worlds import entries, kinds, started_world, waiting_world


def test_cancelled_before_admission_it_never_becomes_a_task() -> None:
    world = waiting_world(cancel=True)
    plan = world.reconcile_deliberation("q1")
    assert kinds(plan) == [EmitEvent]
    assert deliberation_plan.is_settled(world.observe_deliberation("q1"))
    world.create(ready_council())
    assert world.reconcile_deliberation("q1") == Plan()
    assert world.tasks == {}


def test_suspended_before_admission_it_waits_until_it_is_resumed() -> None:
    world = waiting_world(suspend=True)
    world.create(ready_council())
    assert world.reconcile_deliberation("q1") == Plan()
    assert deliberation_plan.is_settled(world.observe_deliberation("q1"))
    world.edit(world.deliberations["q1"], suspend=False)
    world.reconcile_deliberation("q1")
    assert world.tasks["uid-q1"][1].resumed == 0


def test_a_suspended_run_is_stopped_once_and_keeps_what_it_has() -> None:
    world = started_world()
    world.write_entry("uid-q1", Proposal(seat="dev-0", answer="Postgres"))
    world.edit(world.deliberations["q1"], suspend=True)
    plan = world.reconcile_deliberation("q1")
    assert entries(plan) == [Suspend(number=0)]
    assert deliberation_plan.is_settled(world.observe_deliberation("q1"))
    world.pass_time(3600)
    assert world.reconcile_deliberation("q1") == Plan()
    assert "uid-q1" in world.tasks


def test_a_resumed_run_is_admitted_again_with_its_ledger_and_its_whole_time() -> None:
    world = started_world()
    world.write_entry("uid-q1", Proposal(seat="dev-0", answer="Postgres"))
    for resumed in (1, 2):
        world.edit(world.deliberations["q1"], suspend=True)
        world.reconcile_deliberation("q1")
        world.pass_time(3600)
        world.edit(world.deliberations["q1"], suspend=False)
        world.turn = Turn(is_next=False, position=1)
        assert world.reconcile_deliberation("q1").actions == ()
        world.turn = Turn()
        (publish, _) = world.reconcile_deliberation("q1").actions
        assert isinstance(publish, PublishTask)
        assert publish.replaces
        assert (publish.task.resumed, publish.task.started_at_ms) == (resumed, world.now_ms)
    standing = world.observe_deliberation("q1").standing
    assert standing is not None
    assert (list(standing.proposals), standing.suspended) == (["dev-0"], False)


def test_a_resumed_run_whose_task_was_laid_aside_is_left_to_its_runner_again() -> None:
    world = started_world()
    world.edit(world.deliberations["q1"], suspend=True)
    world.dead["uid-q1"] = "DeliveredTooOften"
    world.reconcile_deliberation("q1")
    assert world.deliberations["q1"]["status"]["phase"] == "Suspended"
    world.edit(world.deliberations["q1"], suspend=False)
    world.reconcile_deliberation("q1")
    assert entries(world.reconcile_deliberation("q1")) == []
    assert conditions_of(world.deliberations["q1"])["Ready"][1] != "DeadLetter"


def test_a_crash_between_taking_the_old_task_away_and_publishing_the_new_one_loses_nothing() -> None:
    world = started_world()
    world.edit(world.deliberations["q1"], suspend=True)
    world.reconcile_deliberation("q1")
    world.edit(world.deliberations["q1"], suspend=False)
    world.tasks.clear()
    world.pass_time(30)
    world.reconcile_deliberation("q1")
    task = world.tasks["uid-q1"][1]
    assert (task.resumed, task.started_at_ms) == (1, world.now_ms)


def test_a_suspended_run_can_be_cancelled_and_keeps_what_it_has() -> None:
    world = started_world()
    world.write_entry("uid-q1", Proposal(seat="dev-0", answer="Postgres"))
    world.edit(world.deliberations["q1"], suspend=True)
    world.reconcile_deliberation("q1")
    world.edit(world.deliberations["q1"], cancel=True)
    for _ in range(3):
        world.reconcile_deliberation("q1")
    status = world.deliberations["q1"]["status"]
    assert (status["phase"], status["progress"]["proposals"]) == ("Cancelled", 1)


def test_a_verdict_that_comes_just_before_the_suspension_is_the_end() -> None:
    world = started_world()
    world.run_to_the_end("q1")
    world.edit(world.deliberations["q1"], suspend=True)
    world.reconcile_deliberation("q1")
    assert world.deliberations["q1"]["status"]["phase"] == "Succeeded"


def test_cancel_ends_a_run_with_what_it_has() -> None:
    world = started_world()
    world.edit(world.deliberations["q1"], cancel=True)
    assert entries(world.reconcile_deliberation("q1")) == [Cancel()]
    assert entries(world.reconcile_deliberation("q1")) == [
        Verdict(outcome=Outcome.CANCELLED, counted=(), decided_at_ms=NOW_MS)
    ]


def test_cancel_is_written_once_even_if_asked_for_ever() -> None:
    world = started_world()
    world.edit(world.deliberations["q1"], cancel=True)
    for _ in range(5):
        world.reconcile_deliberation("q1")
    assert [record.key for record in world.ledgers["uid-q1"]] == ["start", "cancel", "verdict"]


def test_a_runner_that_finishes_after_a_cancel_is_not_disturbed() -> None:
    world = started_world()
    world.edit(world.deliberations["q1"], cancel=True)
    world.reconcile_deliberation("q1")
    world.run_a_step("q1")
    assert entries(world.reconcile_deliberation("q1")) == []


def being_deleted(world: FakeWorld) -> FakeWorld:
    """Have another controller hold the deletion of a Deliberation."""
    metadata = world.deliberations["q1"]["metadata"]
    metadata |= {"deletionTimestamp": "2026-09-21T14:13:20Z", "finalizers": ["other/one"]}
    return world


def test_one_that_others_hold_in_its_deletion_is_never_admitted() -> None:
    world = being_deleted(waiting_world())
    world.create(ready_council())
    assert world.reconcile_deliberation("q1") == Plan()


def test_a_run_whose_deletion_others_hold_is_stopped_once_and_keeps_its_messages() -> None:
    world = being_deleted(started_world())
    assert not deliberation_plan.is_settled(world.observe_deliberation("q1"))
    assert entries(world.reconcile_deliberation("q1")) == [Cancel()]
    assert world.reconcile_deliberation("q1") == Plan()
    assert world.ledgers["uid-q1"]


def test_a_run_whose_deletion_others_hold_is_stopped_when_the_bus_is_back() -> None:
    world = being_deleted(started_world())
    world.bus_is_up = False
    assert world.reconcile_deliberation("q1") == Plan(look_again_after=10.0)
    world.bus_is_up = True
    assert entries(world.reconcile_deliberation("q1")) == [Cancel()]


def test_one_that_is_over_is_not_stopped_in_its_deletion() -> None:
    world = started_world()
    world.run_to_the_end("q1")
    assert being_deleted(world).reconcile_deliberation("q1") == Plan()
