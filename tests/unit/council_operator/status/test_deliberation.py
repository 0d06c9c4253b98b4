import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from council_operator.plan.observed import Turn
from council_operator.status import deliberation as deliberation_status
from deliberation.api.v1alpha1.deliberation_status import DeliberationStatus
from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol.entries import Cancel, Outcome, Proposal, Start, Verdict
from fakes.bodies import (
    NOW_MS,
    SETTINGS,
    SIMULATED,
    VLLM,
    council,
    council_spec,
    deliberation,
    ready_council,
)
from fakes.fake_world import FakeWorld, abstain, conditions_of
from unit.council_operator.status.questions import message_of, status_of, world_of

TYPES = ["Ready", "Reconciling", "Stalled", "Admitted", "CouncilReady", "Succeeded"]


def finished_world(**spec: Any) -> FakeWorld:
    world = world_of(ready_council(), **spec)
    world.run_to_the_end("q1")
    world.pass_time(2)
    world.reconcile_deliberation("q1")
    return world


def test_every_condition_is_there_from_the_first_sight_on() -> None:
    assert list(conditions_of(world_of().deliberations["q1"])) == TYPES


def test_without_its_council_it_waits_and_says_what_to_create() -> None:
    world = world_of()
    assert conditions_of(world.deliberations["q1"]) == {
        "Ready": ("False", "CouncilNotFound"),
        "Reconciling": ("True", "CouncilNotFound"),
        "Stalled": ("False", "CouncilNotFound"),
        "Admitted": ("False", "CouncilNotFound"),
        "CouncilReady": ("False", "CouncilNotFound"),
        "Succeeded": ("Unknown", "CouncilNotFound"),
    }
    assert status_of(world)["phase"] == "Pending"
    assert "no Council architects in this namespace: create it" in message_of(world, "CouncilReady")


def test_before_its_council_is_ready_it_warms_and_passes_the_councils_reason_on() -> None:
    body = council()
    body["status"] = {
        "conditions": [{"type": "Ready", "status": "False", "reason": "ModelStarting", "message": "soon"}]
    }
    world = world_of(body)
    assert status_of(world)["phase"] == "Warming"
    assert conditions_of(world.deliberations["q1"])["CouncilReady"] == ("False", "CouncilNotReady")
    assert message_of(world, "CouncilReady") == "Council architects: ModelStarting: soon"


def test_a_council_that_nobody_has_looked_at_yet() -> None:
    assert message_of(world_of(council()), "CouncilReady") == "Council architects: not looked at yet"


def test_a_council_that_goes_away() -> None:
    body = ready_council()
    body["metadata"]["deletionTimestamp"] = "2026-09-21T14:13:20Z"
    assert message_of(world_of(body), "CouncilReady") == "Council architects: it is being deleted"


def test_just_before_admission_it_says_that_it_goes_on() -> None:
    world = FakeWorld()
    world.create(ready_council())
    world.create(deliberation())
    status = deliberation_status.summarise(world.observe_deliberation("q1"))
    assert status["phase"] == "Pending"
    assert status["conditions"][0]["message"] == "about to be admitted"


def test_in_the_queue_it_shows_its_position_and_who_it_waits_for() -> None:
    world = FakeWorld(turn=Turn(is_next=False, position=20))
    world.create(ready_council())
    world.create(deliberation())
    world.reconcile_deliberation("q1")
    assert (status_of(world)["phase"], status_of(world)["queue"]) == ("Queued", {"position": 20})
    conditions = conditions_of(world.deliberations["q1"])
    assert (conditions["Ready"], conditions["Reconciling"]) == (("False", "Queued"), ("True", "Queued"))
    assert (conditions["Admitted"], conditions["CouncilReady"][0]) == (("False", "Queued"), "True")
    assert message_of(world, "Ready").startswith("in the queue of Council architects")
    world.turn = Turn()
    world.reconcile_deliberation("q1")
    assert "queue" not in status_of(world)


def test_a_position_is_shown_while_the_council_warms_too() -> None:
    world = FakeWorld(turn=Turn(is_next=False, position=1))
    world.create(council())
    world.create(deliberation())
    world.reconcile_deliberation("q1")
    assert (status_of(world)["phase"], status_of(world)["queue"]) == ("Warming", {"position": 1})


def test_until_the_queue_has_decided_nothing_is_told() -> None:
    world = FakeWorld(turn=Turn(is_decided=False, is_next=False))
    world.create(ready_council())
    world.create(deliberation())
    world.reconcile_deliberation("q1")
    assert status_of(world) == {"observedGeneration": -1}


def test_suspended_before_admission_it_says_so_and_is_neither_working_nor_stalled() -> None:
    world = world_of(ready_council(), suspend=True)
    assert status_of(world)["phase"] == "Suspended"
    conditions = conditions_of(world.deliberations["q1"])
    assert conditions["Admitted"] == conditions["Ready"] == ("False", "Suspended")
    assert (conditions["Reconciling"][0], conditions["Stalled"][0]) == ("False", "False")


def test_a_suspended_run_shows_what_it_has_and_goes_on_when_it_is_resumed() -> None:
    world = world_of(ready_council())
    world.write_entry("uid-q1", Start(runner="r", at_ms=NOW_MS))
    world.write_entry("uid-q1", Proposal(seat="dev-0", answer="Postgres"))
    world.edit(world.deliberations["q1"], suspend=True)
    world.reconcile_deliberation("q1")
    assert (status_of(world)["phase"], status_of(world)["progress"]["proposals"]) == ("Suspended", 1)
    assert conditions_of(world.deliberations["q1"])["Admitted"] == ("False", "Suspended")
    world.edit(world.deliberations["q1"], suspend=False)
    world.turn = Turn(is_next=False, position=2)
    world.reconcile_deliberation("q1")
    assert (status_of(world)["phase"], status_of(world)["queue"]) == ("Queued", {"position": 2})
    assert status_of(world)["progress"]["proposals"] == 1
    world.turn = Turn()
    world.reconcile_deliberation("q1")
    assert conditions_of(world.deliberations["q1"])["Admitted"] == ("True", "TaskPublished")
    world.run_to_the_end("q1")
    world.reconcile_deliberation("q1")
    assert status_of(world)["phase"] == "Succeeded"


def test_a_suspended_council_keeps_its_questions_waiting_and_says_why() -> None:
    body = ready_council(council_spec(suspend=True))
    body["status"]["conditions"][0] |= {"status": "False", "reason": "Suspended", "message": "suspended: not now"}
    world = world_of(body)
    assert status_of(world)["phase"] == "Suspended"
    assert conditions_of(world.deliberations["q1"])["Admitted"] == ("False", "Suspended")
    assert message_of(world, "Ready") == "Council architects: Suspended: suspended: not now"


def test_a_full_queue_is_a_failure_that_says_what_to_do() -> None:
    world = FakeWorld(turn=Turn(is_next=False, most_waiting=7))
    world.create(ready_council())
    world.create(deliberation())
    world.reconcile_deliberation("q1")
    assert status_of(world)["phase"] == "Failed"
    assert "completionTime" in status_of(world)
    conditions = conditions_of(world.deliberations["q1"])
    assert conditions["Succeeded"] == conditions["Admitted"] == ("False", "QueueFull")
    assert conditions["Stalled"] == ("True", "QueueFull")
    assert message_of(world, "Succeeded") == (
        "7 Deliberations of Council architects wait already, which is its limits.maxQueued: delete this one and create "
        "it again later, or raise maxQueued for those to come"
    )


def test_an_impossible_question_is_stalled_with_the_numbers_and_heals_with_the_council() -> None:
    world = world_of(ready_council(), quorum=4)
    conditions = conditions_of(world.deliberations["q1"])
    assert conditions["Stalled"] == ("True", "InvalidSpec")
    assert conditions["Reconciling"] == ("False", "InvalidSpec")
    assert conditions["Admitted"] == ("False", "InvalidSpec")
    assert conditions["Succeeded"] == ("Unknown", "InvalidSpec")
    assert "spec.quorum is 4, but Council architects has 3 seats" in message_of(world, "Ready")
    world.create(ready_council(council_spec(seats=4)))
    world.reconcile_deliberation("q1")
    assert conditions_of(world.deliberations["q1"])["Stalled"][0] == "False"
    assert status_of(world)["phase"] == "Queued"


def test_a_run_passes_through_its_phases() -> None:
    world = world_of(ready_council())
    seen = [status_of(world)["phase"]]
    for _ in range(5):
        world.run_a_step("q1")
        world.reconcile_deliberation("q1")
        seen.append(status_of(world)["phase"])
    assert seen == ["Queued", "Deliberating", "Ranking", "Ranking", "Succeeded", "Succeeded"]


def test_a_run_in_progress_is_reconciling() -> None:
    world = world_of(ready_council())
    assert conditions_of(world.deliberations["q1"])["Admitted"] == ("True", "TaskPublished")
    assert "has not taken the question up yet" in message_of(world, "Reconciling")
    world.run_a_step("q1")
    world.reconcile_deliberation("q1")
    assert conditions_of(world.deliberations["q1"]) == {
        "Ready": ("False", "Deliberating"),
        "Reconciling": ("True", "Deliberating"),
        "Stalled": ("False", "Deliberating"),
        "Admitted": ("True", "TaskPublished"),
        "CouncilReady": ("True", "CouncilReady"),
        "Succeeded": ("Unknown", "Deliberating"),
    }
    assert status_of(world)["startTime"] == "2026-09-21T14:13:20Z"
    assert "completionTime" not in status_of(world)


def test_a_success_is_ready_and_tells_the_answer() -> None:
    world = finished_world()
    status = status_of(world)
    assert {name: state for name, (state, _) in conditions_of(world.deliberations["q1"]).items()} == {
        "Ready": "True",
        "Reconciling": "False",
        "Stalled": "False",
        "Admitted": "True",
        "CouncilReady": "True",
        "Succeeded": "True",
    }
    assert status["phase"] == "Succeeded"
    assert status["answer"] == status["result"]["answer"] == "Take the one that dev-0 knows."
    assert len(status["proposals"]) == 3
    assert status["council"] == "uid-architects"
    transcript = status["transcriptRef"]
    assert (transcript["stream"], transcript["subject"]) == ("COUNCIL_LEDGER", "council.v1.team-a.ledger.uid-q1.1.>")
    assert len(transcript["sha256"]) == 64


def test_times_come_from_the_run_and_not_from_whoever_looks() -> None:
    assert status_of(finished_world())["completionTime"] == "2026-09-21T14:13:20Z"


def test_cancelled_before_admission_it_says_that_nobody_was_asked() -> None:
    world = world_of(cancel=True)
    assert status_of(world)["phase"] == "Cancelled"
    assert conditions_of(world.deliberations["q1"])["Succeeded"] == ("False", "Cancelled")
    assert conditions_of(world.deliberations["q1"])["Admitted"] == ("False", "Cancelled")
    assert "no model was asked" in message_of(world, "Succeeded")
    assert status_of(world)["completionTime"] == "2026-09-21T14:13:20Z"


def test_a_cancelled_run_says_that_it_is_ending() -> None:
    world = world_of(ready_council())
    world.edit(world.deliberations["q1"], cancel=True)
    world.write_entry("uid-q1", Start(runner="r", at_ms=NOW_MS))
    status = deliberation_status.summarise(world.observe_deliberation("q1"))
    assert {one["reason"] for one in status["conditions"] if one["type"] in {"Ready", "Reconciling"}} == {"Cancelled"}
    assert status["phase"] == "Deliberating"


def test_d6_a_finished_status_never_changes_whatever_the_ledger_says() -> None:
    world = finished_world()
    before = copy.deepcopy(status_of(world))
    world.ledgers["uid-q1"] = world.ledgers["uid-q1"][:1]
    world.write_entry("uid-q1", Cancel())
    world.pass_time(9999)
    world.councils.clear()
    world.reconcile_deliberation("q1")
    assert status_of(world) == before
    world.tasks.clear()
    world.bus_is_up = False
    world.reconcile_deliberation("q1")
    assert status_of(world) == before


def test_a_finished_status_follows_the_generation_only() -> None:
    """Tools wait for the observed generation: a cancel that comes too late must not look like work in progress."""
    world = finished_world()
    before = copy.deepcopy(status_of(world))
    world.edit(world.deliberations["q1"], cancel=True)
    world.reconcile_deliberation("q1")
    after = status_of(world)
    assert {one["observedGeneration"] for one in (after, *after["conditions"])} == {2}
    for one in (before, after, *before["conditions"], *after["conditions"]):
        del one["observedGeneration"]
    assert after == before


def test_without_the_bus_what_was_known_stays() -> None:
    world = world_of(ready_council())
    world.run_a_step("q1")
    world.run_a_step("q1")
    world.reconcile_deliberation("q1")
    before = copy.deepcopy(status_of(world))
    world.bus_is_up = False
    world.reconcile_deliberation("q1")
    after = status_of(world)
    assert conditions_of(world.deliberations["q1"]) == {
        "Ready": ("False", "BusUnavailable"),
        "Reconciling": ("True", "BusUnavailable"),
        "Stalled": ("False", "BusUnavailable"),
        "Admitted": ("True", "TaskPublished"),
        "CouncilReady": ("True", "CouncilReady"),
        "Succeeded": ("Unknown", "BusUnavailable"),
    }
    assert {key: value for key, value in after.items() if key != "conditions"} == {
        key: value for key, value in before.items() if key != "conditions"
    }
    world.bus_is_up = True
    world.reconcile_deliberation("q1")
    assert conditions_of(world.deliberations["q1"])["Reconciling"] == ("True", "Deliberating")


def test_without_the_bus_from_the_start_it_waits() -> None:
    world = FakeWorld(bus_is_up=False)
    world.create(deliberation())
    world.reconcile_deliberation("q1")
    assert status_of(world)["phase"] == "Pending"
    assert status_of(world)["observedGeneration"] == 1
    assert conditions_of(world.deliberations["q1"])["Admitted"] == ("False", "BusUnavailable")


@pytest.mark.parametrize(("model", "simulated"), [("small", False), ("pretender", True)])
def test_d7_one_seat_on_a_simulated_model_marks_the_deliberation(model: str, *, simulated: bool) -> None:
    spec = council_spec(VLLM, {**SIMULATED, "name": "pretender"})
    spec["members"].append({"name": "qa", "role": "QA", "modelRef": model})
    assert status_of(world_of(ready_council(spec)))["simulated"] is simulated


def test_the_status_is_what_the_schema_says() -> None:
    for world in (world_of(), world_of(ready_council()), finished_world()):
        assert DeliberationStatus.model_validate(status_of(world)).to_json() == status_of(world)


def test_nothing_new_is_said_when_nothing_has_changed() -> None:
    world = world_of(ready_council())
    before = copy.deepcopy(status_of(world))
    world.pass_time(20)
    world.reconcile_deliberation("q1")
    assert status_of(world) == before


@given(answer=st.text(min_size=1, max_size=200).filter(lambda text: text.strip()))
def test_the_answer_of_the_table_is_one_short_line(answer: str) -> None:
    world = world_of(ready_council(council_spec(seats=1)))
    proposal = Proposal(seat="dev-0", answer=answer)
    world.write_entry("uid-q1", proposal)
    counted = (proposal.key,)
    world.write_entry("uid-q1", Verdict(outcome=Outcome.SUCCEEDED, counted=counted, decided_at_ms=NOW_MS))
    world.reconcile_deliberation("q1")
    line = status_of(world)["answer"]
    assert len(line) <= 60
    assert "\n" not in line


def test_the_whole_status_stays_below_32_kib_in_the_worst_case() -> None:
    members = [
        {"name": f"{'m' * 37}{number:02}", "role": "QA", "seats": 4, "modelRef": "small"} for number in range(16)
    ]
    criteria = [{"name": f"{'c' * 38}{number}"} for number in range(8)]
    spec = {**council_spec(), "members": members}
    world = world_of(ready_council(spec), criteria=criteria, topK=10, strategy={"type": "Panel"})
    task = world.tasks["uid-q1"][1]
    for seat in task.seats[:40]:
        text = "ü€𝄞" * 9000
        world.write_entry("uid-q1", Proposal(seat=seat.id, answer=text, rationale=text))
    for seat in task.seats[40:]:
        world.write_entry(
            "uid-q1", abstain(seat.id, AbstentionReason.INTERNAL_ERROR).model_copy(update={"message": "ü" * 9000})
        )
    world.run_to_the_end("q1")
    world.reconcile_deliberation("q1")
    assert status_of(world)["phase"] == "Succeeded"
    assert len(json.dumps(status_of(world), ensure_ascii=False).encode()) <= 32 * 1024


def test_no_secret_and_no_question_stands_in_a_condition() -> None:
    world = finished_world(question="Where is the treasure?")
    text = json.dumps(status_of(world)["conditions"])
    assert "treasure" not in text
    assert SETTINGS.bus_password not in json.dumps(status_of(world))
