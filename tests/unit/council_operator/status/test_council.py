import json
from typing import Any

from council_operator.status.council import summarise
from deliberation.api.v1alpha1.council_status import CouncilStatus
from deliberation.protocol.health import ProbeResult
from fakes.bodies import ENDPOINT, SETTINGS, SIMULATED, VLLM, council, council_spec, deliberation
from fakes.fake_world import FakeWorld, conditions_of

Body = dict[str, Any]

TYPES = ["Ready", "Reconciling", "Stalled", "ModelsAvailable", "BusReady", "RunnerReady"]


def world_of(*models: Body, is_up: bool = True, seats: int = 3) -> FakeWorld:
    world = FakeWorld()
    world.create(council(council_spec(*models, seats=seats)))
    world.settle()
    if is_up:
        world.start_servers()
        world.start_runners()
        world.settle()
    return world


def status_of(world: FakeWorld) -> Body:
    status: Body = world.councils["architects"]["status"]
    return status


def test_every_condition_is_there_from_the_first_sight_on() -> None:
    assert list(conditions_of(world_of(is_up=False).councils["architects"])) == TYPES


def test_a_ready_council_in_the_words_of_kstatus() -> None:
    world = world_of(VLLM)
    conditions = conditions_of(world.councils["architects"])
    assert {name: status for name, (status, _) in conditions.items()} == {
        "Ready": "True",
        "Reconciling": "False",
        "Stalled": "False",
        "ModelsAvailable": "True",
        "BusReady": "True",
        "RunnerReady": "True",
    }
    assert status_of(world)["observedGeneration"] == 1
    assert (status_of(world)["modelCount"], status_of(world)["seatCount"]) == ("1/1", "3/3")
    assert status_of(world)["simulated"] is False


def test_a_starting_council_is_reconciling_and_not_stalled() -> None:
    world = world_of(VLLM, is_up=False)
    conditions = conditions_of(world.councils["architects"])
    assert conditions["Ready"] == ("False", "ModelStarting")
    assert conditions["Reconciling"] == ("True", "ModelStarting")
    assert conditions["Stalled"][0] == "False"
    assert (status_of(world)["modelCount"], status_of(world)["seatCount"]) == ("0/1", "0/3")


def test_ready_names_the_cause_and_not_what_waits_for_it() -> None:
    world = world_of(ENDPOINT)
    world.kuberay_installed = False
    world.settle()
    conditions = conditions_of(world.councils["architects"])
    assert conditions["ModelsAvailable"] == ("False", "Pending")
    assert conditions["Ready"] == ("False", "KubeRayNotInstalled")


def test_without_nats_the_council_waits_and_says_so() -> None:
    world = world_of()
    world.bus_is_up = False
    world.settle()
    conditions = conditions_of(world.councils["architects"])
    assert conditions["BusReady"] == ("False", "BusUnavailable")
    assert conditions["RunnerReady"] == ("Unknown", "BusUnavailable")
    assert conditions["Ready"] == ("False", "BusUnavailable")
    assert conditions["Stalled"][0] == "False"
    world.bus_is_up = True
    world.settle()
    assert conditions_of(world.councils["architects"])["Ready"][0] == "True"


def test_an_impossible_spec_is_stalled_and_heals_by_a_better_one() -> None:
    world = world_of()
    good = world.councils["architects"]["spec"]["members"]
    world.edit(world.councils["architects"], members=[{"name": "dev", "role": "Developer", "modelRef": "nobody"}])
    world.settle()
    conditions = conditions_of(world.councils["architects"])
    assert conditions["Stalled"] == ("True", "InvalidSpec")
    assert conditions["Ready"] == ("False", "InvalidSpec")
    assert conditions["Reconciling"][0] == "False"
    world.edit(world.councils["architects"], members=good)
    world.settle()
    assert conditions_of(world.councils["architects"])["Ready"][0] == "True"


def test_seats_are_ready_with_their_model() -> None:
    spec = council_spec(SIMULATED, {**ENDPOINT, "name": "far"}, seats=2)
    spec["members"].append({"name": "qa", "role": "QA", "seats": 4, "modelRef": "far"})
    world = FakeWorld()
    world.create(council(spec))
    world.settle()
    world.start_servers()
    world.start_runners()
    world.probes = (ProbeResult(name="small"), ProbeResult(name="far", reason="EndpointUnreachable"))
    world.settle()
    assert [(one["name"], one["readySeats"]) for one in status_of(world)["members"]] == [("dev", 2), ("qa", 0)]
    assert status_of(world)["seatCount"] == "2/6"
    assert status_of(world)["modelCount"] == "1/2"


def test_the_queue_counts_deliberations_by_where_they_are() -> None:
    world = world_of()
    phases = (
        "Pending",
        "Warming",
        "Queued",
        "Deliberating",
        "Ranking",
        "Succeeded",
        "Failed",
        "Cancelled",
        "Suspended",
    )
    for number, phase in enumerate(phases):
        world.create({**deliberation(f"q{number}"), "status": {"phase": phase}})
    world.create({**deliberation("other", council_name="others"), "status": {"phase": "Queued"}})
    world.reconcile_council("architects")
    assert status_of(world)["queue"] == {"queued": 3, "running": 2, "suspended": 1, "finished": 3}


def test_a_suspended_council_is_not_ready_and_lets_those_in_work_finish() -> None:
    world = world_of()
    world.create(deliberation())
    world.settle()
    world.run_a_step("q1")
    world.edit(world.councils["architects"], suspend=True)
    world.create(deliberation("q2"))
    world.settle()
    conditions = conditions_of(world.councils["architects"])
    assert conditions["Ready"] == ("False", "Suspended")
    assert (conditions["Reconciling"][0], conditions["Stalled"][0]) == ("False", "False")
    assert conditions["ModelsAvailable"][0] == "True"
    world.run_to_the_end("q1")
    world.settle()
    assert [world.deliberations[name]["status"]["phase"] for name in ("q1", "q2")] == ["Succeeded", "Suspended"]
    assert status_of(world)["queue"] == {"queued": 0, "running": 0, "suspended": 1, "finished": 1}
    world.edit(world.councils["architects"], suspend=False)
    world.settle()
    assert world.deliberations["q2"]["status"]["phase"] == "Queued"


def test_d7_one_simulated_model_marks_the_council() -> None:
    assert status_of(world_of(VLLM, {**SIMULATED, "name": "pretender"}))["simulated"] is True


def test_the_status_is_what_the_schema_says() -> None:
    status = status_of(world_of(VLLM, {**ENDPOINT, "name": "far"}))
    assert CouncilStatus.model_validate(status).to_json() == status


def test_nothing_new_is_said_when_nothing_has_changed() -> None:
    world = world_of()
    before = status_of(world)
    world.pass_time(20)
    world.settle()
    assert status_of(world) == before


def test_no_secret_is_ever_shown() -> None:
    text = json.dumps(status_of(world_of(VLLM, {**ENDPOINT, "name": "far"})))
    assert SETTINGS.bus_password not in text


def test_the_status_stays_small_whatever_the_cluster_says() -> None:
    models = [{"name": f"m{number}", "vllm": {"model": "ü" * 256, "maxModelLen": 256 + number}} for number in range(8)]
    world = world_of(*models, is_up=False)
    for _, name in [key for key in world.children if key[0] == "Deployment"]:
        waiting = {"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "ü" * 10_000}}}
        metadata = {"name": f"{name}-x", "labels": {"app.kubernetes.io/instance": name}}
        world.pods.append({"metadata": metadata, "status": {"containerStatuses": [waiting]}})
    status = summarise(world.observe_council("architects"), SETTINGS)
    assert len(json.dumps(status, ensure_ascii=False).encode()) < 32 * 1024
