from typing import Any

import pytest

from council_operator.loops import Key
from council_operator.plan.observed import Activity
from council_operator.wakes import SWEEP, Wakes, key_of_leavings
from deliberation.protocol.health import Heartbeat
from deliberation.protocol.subjects import Run
from fakes.bodies import SETTINGS
from fakes.fake_nodes import fake_gpu_node

COUNCIL = Key("Council", "default", "architects")
QUESTION = Key("Deliberation", "default", "question")


def council() -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": "architects", "uid": "c"}, "spec": {}}


def deliberation(phase: str | None = None, uid: str = "d") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": "question", "uid": uid},
        "spec": {"councilRef": {"name": "architects"}},
        "status": {"phase": phase} if phase else {"observedGeneration": -1},
    }


class Woken:
    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.now = 0.0
        self.wakes = Wakes(self.keys.append, lambda: self.now, SETTINGS)

    def take(self) -> list[Key]:
        taken = sorted(set(self.keys), key=str)
        self.keys.clear()
        return taken


@pytest.fixture
def woken() -> Woken:
    return Woken()


def test_a_council_that_changes_wakes_the_deliberations_that_wait_for_it(woken: Woken) -> None:
    woken.wakes.deliberation_changed("ADDED", deliberation("Pending"))
    woken.take()
    woken.wakes.council_changed("ADDED", council())
    assert woken.take() == [COUNCIL, QUESTION]


def test_a_council_that_only_counts_its_queue_anew_wakes_nobody_who_waits(woken: Woken) -> None:
    woken.wakes.council_changed("ADDED", council())
    woken.wakes.deliberation_changed("ADDED", deliberation("Queued"))
    woken.take()
    counted = {**council(), "status": {"queue": {"queued": 1}}}
    woken.wakes.council_changed("MODIFIED", counted)
    assert woken.take() == [COUNCIL]
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": ""}
    woken.wakes.council_changed("MODIFIED", {**counted, "status": {"conditions": [ready]}})
    assert woken.take() == [COUNCIL, QUESTION]
    woken.wakes.council_changed("DELETED", counted)
    assert woken.take() == [COUNCIL, QUESTION]


def test_a_council_that_changes_leaves_finished_deliberations_alone(woken: Woken) -> None:
    woken.wakes.deliberation_changed("ADDED", deliberation("Succeeded"))
    woken.take()
    woken.wakes.council_changed("MODIFIED", council())
    assert woken.take() == [COUNCIL]


def test_a_deliberation_that_moves_on_wakes_its_councils_queue(woken: Woken) -> None:
    woken.wakes.council_changed("ADDED", council())
    woken.wakes.deliberation_changed("ADDED", deliberation("Queued"))
    woken.take()
    woken.wakes.deliberation_changed("MODIFIED", deliberation("Queued"))
    assert woken.take() == [QUESTION]
    woken.wakes.deliberation_changed("MODIFIED", deliberation("Deliberating"))
    assert woken.take() == [COUNCIL, QUESTION]
    assert woken.wakes.phases_of(COUNCIL) == {"Deliberating": 1}


def test_a_council_that_is_in_use_counts_at_its_leisure() -> None:
    soon: list[Key] = []
    now: list[Key] = []
    wakes = Wakes(now.append, lambda: 0.0, SETTINGS, soon.append)
    wakes.council_changed("ADDED", council())
    now.clear()
    wakes.deliberation_changed("ADDED", deliberation("Pending"))
    assert (now.count(COUNCIL), soon) == (1, [])
    wakes.deliberation_changed("MODIFIED", deliberation("Deliberating"))
    wakes.deliberation_changed("MODIFIED", deliberation("Succeeded"))
    assert (now.count(COUNCIL), soon) == (1, [COUNCIL, COUNCIL])


def test_the_last_word_of_the_watch_about_a_council_is_kept_until_it_is_gone(woken: Woken) -> None:
    assert woken.wakes.council_of(COUNCIL) is None
    changed = {**council(), "status": {"observedGeneration": 2}}
    woken.wakes.council_changed("ADDED", council())
    woken.wakes.council_changed("MODIFIED", changed)
    assert woken.wakes.council_of(COUNCIL) == changed
    woken.wakes.council_changed("DELETED", changed)
    assert woken.wakes.council_of(COUNCIL) is None


def test_a_deleted_deliberation_is_forgotten(woken: Woken) -> None:
    woken.wakes.deliberation_changed("ADDED", deliberation("Queued"))
    woken.take()
    woken.wakes.deliberation_changed("DELETED", deliberation("Queued"))
    assert woken.take() == [QUESTION, key_of_leavings("default", "d")]
    woken.wakes.ledger_grew(Run("default", "d"), "start")
    assert woken.take() == []
    assert woken.wakes.phases_of(COUNCIL) == {}


def test_it_listens_since_it_was_made(woken: Woken) -> None:
    woken.now = 12
    assert woken.wakes.listening_seconds == 12


def test_a_sweep_is_a_look_at_what_is_left_everywhere(woken: Woken) -> None:
    woken.wakes.sweep()
    assert woken.take() == [SWEEP]


def test_a_ledger_entry_wakes_its_deliberation_by_uid(woken: Woken) -> None:
    woken.wakes.deliberation_changed("ADDED", deliberation())
    woken.take()
    woken.wakes.ledger_grew(Run("default", "d"), "proposal.0.a-0")
    woken.wakes.ledger_grew(Run("default", "somebody-else"), "proposal.0.a-0")
    assert woken.take() == [QUESTION]


def test_a_child_wakes_every_council_that_owns_it(woken: Woken) -> None:
    owners = [
        {"kind": "Council", "name": "architects"},
        {"kind": "Council", "name": "qa"},
        {"kind": "Pod", "name": "x"},
    ]
    woken.wakes.child_changed({"metadata": {"namespace": "default", "name": "model-1", "ownerReferences": owners}})
    assert woken.take() == [COUNCIL, Key("Council", "default", "qa")]


def test_a_runner_wakes_councils_when_it_appears_changes_or_returns(woken: Woken) -> None:
    woken.wakes.council_changed("ADDED", council())
    woken.take()
    beat = Heartbeat(runner="runner-1", running=0, seats={"c": 3})
    woken.wakes.runner_beat("default", beat)
    assert woken.take() == [COUNCIL]
    woken.now = 5
    woken.wakes.runner_beat("default", beat)
    assert woken.take() == []
    woken.wakes.runner_beat("default", beat.model_copy(update={"seats": {"c": 2}}))
    assert woken.take() == [COUNCIL]
    woken.now = 5 + Heartbeat.SILENT_AFTER_SECONDS + 1
    assert woken.wakes.heartbeat_of("default", "runner-1")[1] == 31
    woken.wakes.runner_beat("default", beat.model_copy(update={"seats": {"c": 2}}))
    assert woken.take() == [COUNCIL]


def test_a_bus_that_is_back_wakes_everything(woken: Woken) -> None:
    woken.wakes.council_changed("ADDED", council())
    woken.wakes.deliberation_changed("ADDED", deliberation())
    woken.wakes.queues.open("default")
    woken.take()
    woken.wakes.everything()
    assert woken.take() == [COUNCIL, QUESTION]


ON_GPU = {"models": [{"name": "small", "vllm": {"model": "m", "gpu": {}}}]}


def test_what_nodes_offer_concerns_councils_on_gpus_alone(woken: Woken) -> None:
    woken.wakes.council_changed("ADDED", council())
    woken.take()
    woken.wakes.node_changed("ADDED", fake_gpu_node())
    assert woken.take() == []
    woken.wakes.council_changed("MODIFIED", {**council(), "spec": ON_GPU})
    woken.take()
    woken.wakes.node_changed("MODIFIED", fake_gpu_node(replicas=4))
    assert woken.take() == [COUNCIL]
    woken.wakes.council_changed("DELETED", {**council(), "spec": ON_GPU})
    woken.take()
    woken.wakes.node_changed("MODIFIED", fake_gpu_node())
    assert woken.take() == []


def test_what_kubelets_report_otherwise_wakes_nobody(woken: Woken) -> None:
    woken.wakes.council_changed("ADDED", {**council(), "spec": ON_GPU})
    woken.wakes.node_changed("ADDED", fake_gpu_node())
    woken.take()
    busy = fake_gpu_node()
    busy["status"]["conditions"] = [{"type": "MemoryPressure", "status": "True"}]
    woken.wakes.node_changed("MODIFIED", busy)
    woken.wakes.node_changed("ADDED", {"metadata": {"name": "without"}})
    assert woken.take() == []
    woken.wakes.node_changed("DELETED", busy)
    assert woken.take() == [COUNCIL]


def test_use_is_counted_from_the_operators_start_and_renewed_by_unfinished_deliberations(woken: Woken) -> None:
    woken.now = 100.0
    assert woken.wakes.activity_of(COUNCIL) == Activity(0, 100.0)
    woken.wakes.deliberation_changed("ADDED", deliberation("Succeeded", uid="old"))
    assert woken.wakes.activity_of(COUNCIL) == Activity(0, 100.0)
    woken.wakes.deliberation_changed("ADDED", deliberation())
    assert woken.wakes.activity_of(COUNCIL) == Activity(1, 0.0)
    woken.now = 160.0
    woken.wakes.deliberation_changed("MODIFIED", deliberation("Succeeded"))
    woken.now = 170.0
    assert woken.wakes.activity_of(COUNCIL) == Activity(0, 10.0)


def test_a_deliberation_that_is_deleted_or_cannot_go_on_keeps_nobody_awake(woken: Woken) -> None:
    stalled = deliberation("Pending", uid="s")
    stalled["status"]["conditions"] = [{"type": "Stalled", "status": "True"}]
    woken.wakes.deliberation_changed("ADDED", stalled)
    woken.wakes.deliberation_changed("ADDED", deliberation())
    woken.now = 50.0
    woken.wakes.deliberation_changed("DELETED", deliberation())
    assert woken.wakes.activity_of(COUNCIL) == Activity(0, 0.0)


def test_nodes_are_looked_at_when_their_labels_change_where_gpus_are_divided(woken: Woken) -> None:
    divider = Key("GpuDivision", "", "")
    node = fake_gpu_node()
    woken.wakes.node_changed("ADDED", node)
    assert woken.take() == []
    woken.wakes.follow_nodes(divider)
    assert woken.take() == [divider]
    woken.wakes.node_changed("MODIFIED", node)
    assert woken.take() == [divider]
    woken.wakes.node_changed("MODIFIED", node)
    assert woken.take() == []


def test_a_ray_job_wakes_the_deliberation_that_owns_it(woken: Woken) -> None:
    owners = [{"kind": "Deliberation", "name": "question"}, {"kind": "Deployment", "name": "other"}]
    woken.wakes.child_changed({"metadata": {"namespace": "default", "name": "d-1-a1", "ownerReferences": owners}})
    assert woken.take() == [QUESTION]
