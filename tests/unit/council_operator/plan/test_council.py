import copy
from typing import Any

import pytest

from council_operator.plan.actions import Action, Apply, Delete, EnsureTaskConsumer, Plan, Release
from council_operator.plan.succession import SETTLED_AFTER_SECONDS
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.protocol.health import ProbeResult
from fakes.bodies import ENDPOINT, SIMULATED, VLLM, council, council_spec, deliberation
from fakes.fake_world import FakeWorld, conditions_of

Body = dict[str, Any]

ANOTHER = {"name": "small", "simulated": {"accuracyPercent": 99}}


def world_with(*councils: Body) -> FakeWorld:
    world = FakeWorld()
    for body in councils or (council(),):
        world.create(body)
    return world


def ready_world(*councils: Body) -> FakeWorld:
    world = world_with(*councils)
    world.settle()
    world.start_servers()
    world.start_runners()
    world.settle()
    return world


def changes(plan: Plan) -> list[Action]:
    """Return what a plan changes; that a consumer exists is only made sure of."""
    return [action for action in plan.actions if not isinstance(action, EnsureTaskConsumer)]


def applied(plan: Plan) -> list[str]:
    return [action.body["kind"] for action in plan.actions if isinstance(action, Apply)]


def children(world: FakeWorld, kind: str) -> list[str]:
    return sorted(name for of_kind, name in world.children if of_kind == kind)


def test_a_new_council_gets_everything_in_an_order_that_can_start() -> None:
    plan = world_with().reconcile_council("architects")
    assert applied(plan) == ["Secret", "Secret", "Service", "Deployment", "RayJob"]
    assert isinstance(plan.actions[-1], EnsureTaskConsumer)


def test_an_endpoint_needs_no_server_of_ours() -> None:
    plan = world_with(council(council_spec(ENDPOINT))).reconcile_council("architects")
    assert applied(plan) == ["Secret", "Secret", "RayJob"]


def test_nothing_is_applied_twice() -> None:
    world = world_with()
    world.reconcile_council("architects")
    assert changes(world.reconcile_council("architects")) == []


def test_a_ready_council_is_left_in_peace() -> None:
    plan = ready_world().reconcile_council("architects")
    assert plan.actions == ()


def test_two_councils_share_server_and_runner_and_both_own_them() -> None:
    world = ready_world(council(name="one"), council(name="two"))
    assert len(children(world, "Deployment")) == len(children(world, "RayJob")) == 1
    for child in world.children.values():
        assert {owner["name"] for owner in child["metadata"]["ownerReferences"]} == {"one", "two"}


def test_of_two_councils_the_last_to_go_takes_the_shared_children_away() -> None:
    world = ready_world(council(name="one"), council(name="two"))
    world.delete_council("one")
    world.settle()
    assert len(world.children) == 5
    world.delete_council("two")
    assert world.children == {}


def test_of_two_councils_one_that_changes_leaves_the_other_its_server() -> None:
    world = ready_world(council(name="one"), council(name="two"))
    (shared,) = children(world, "Deployment")
    world.edit(world.councils["one"], models=[ANOTHER])
    world.settle()
    world.start_servers()
    world.come_to_rest()
    assert len(children(world, "Deployment")) == 2
    (owner,) = world.children["Deployment", shared]["metadata"]["ownerReferences"]
    assert owner["name"] == "two"


def test_a_superseded_server_stays_until_the_new_one_is_ready() -> None:
    world = ready_world()
    (old,) = children(world, "Deployment")
    world.edit(world.councils["architects"], models=[ANOTHER])
    world.settle()
    assert old in children(world, "Deployment")
    world.start_servers()
    world.reconcile_council("architects")
    assert old in children(world, "Deployment"), "somebody may have read a status that names it"
    world.pass_time(SETTLED_AFTER_SECONDS)
    plan = world.reconcile_council("architects")
    assert {action.reference.kind for action in plan.actions if isinstance(action, Release)} == {
        "Service",
        "Deployment",
    }
    assert old not in children(world, "Deployment")


def test_a_superseded_runner_stays_while_a_run_waits_for_it() -> None:
    world = ready_world()
    (old,) = children(world, "RayJob")
    world.create(deliberation())
    world.settle()
    world.edit(world.councils["architects"], runner={"maxConcurrentDeliberations": 2})
    world.settle()
    world.start_runners()
    world.settle()
    assert old in children(world, "RayJob")
    world.run_to_the_end("q1")
    world.come_to_rest()
    assert children(world, "RayJob") != [old]
    assert len(children(world, "RayJob")) == 1


def test_a_council_without_a_quiet_moment_drops_the_old_after_the_longest_run() -> None:
    world = ready_world()
    world.edit(world.councils["architects"], models=[ANOTHER])
    world.settle()
    world.start_servers()
    world.create(deliberation(timeoutSeconds=86_400))
    world.councils["architects"]["status"] = {}
    admitted = {"type": "Admitted", "status": "True", "reason": "TaskPublished"}
    world.deliberations["q1"]["status"] |= {"phase": "Deliberating", "conditions": [admitted]}
    world.reconcile_council("architects")
    assert len(children(world, "Deployment")) == 2
    world.pass_time(86_400 + 61)
    world.beat()
    world.reconcile_council("architects")
    assert len(children(world, "Deployment")) == 1


def starved(server: str, since: str) -> Body:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": since}
    metadata = {"name": f"{server}-x", "labels": {"app.kubernetes.io/instance": server}}
    return {"metadata": metadata, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(("since", "left"), [("2026-09-21T14:13:20Z", 2), ("2026-09-21T14:10:00Z", 1)])
def test_a_new_server_that_finds_no_node_is_given_the_room_of_the_old_one(since: str, left: int) -> None:
    world = ready_world()
    (old,) = children(world, "Deployment")
    world.edit(world.councils["architects"], models=[ANOTHER])
    world.settle()
    (new,) = set(children(world, "Deployment")) - {old}
    world.pods = [starved(new, since)]
    world.come_to_rest()
    assert len(children(world, "Deployment")) == left
    assert len(children(world, "RayJob")) == 1


@pytest.mark.parametrize(
    "drift",
    [
        lambda body: body["spec"].update(replicas=0),
        lambda body: body["spec"]["template"]["spec"]["containers"][0].update(image="evil"),
        lambda body: body["spec"]["template"]["spec"]["containers"][0]["args"].append("--more"),
        lambda body: body["metadata"]["annotations"].clear(),
        lambda body: body["metadata"]["ownerReferences"].clear(),
        lambda body: body["spec"]["template"]["spec"].update(containers={}),
        lambda body: body["spec"].update(template=None),
    ],
)
def test_what_somebody_changed_is_put_right(drift: Any) -> None:
    world = ready_world()
    (name,) = children(world, "Deployment")
    good = copy.deepcopy(world.children["Deployment", name]["spec"])
    drift(world.children["Deployment", name])
    assert "Deployment" in applied(world.reconcile_council("architects"))
    assert world.children["Deployment", name]["spec"] == good
    assert changes(world.reconcile_council("architects")) == []


def test_what_the_api_server_adds_is_no_drift() -> None:
    world = ready_world()
    (name,) = children(world, "Deployment")
    spec = world.children["Deployment", name]["spec"]
    spec["revisionHistoryLimit"] = 10
    spec["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"] = "67108864"
    assert world.reconcile_council("architects").actions == ()


def test_a_child_that_is_being_deleted_is_left_alone_until_it_is_gone() -> None:
    world = ready_world()
    (name,) = children(world, "Deployment")
    world.children["Deployment", name]["metadata"]["deletionTimestamp"] = "2026-09-21T14:13:20Z"
    assert changes(world.reconcile_council("architects")) == []
    del world.children["Deployment", name]
    assert "Deployment" in applied(world.reconcile_council("architects"))


FAILED = {"jobDeploymentStatus": "Failed", "jobStatus": "RUNNING"}


@pytest.mark.parametrize(
    "status", [FAILED, {"jobDeploymentStatus": "Complete"}, {"jobDeploymentStatus": "ValidationFailed"}]
)
def test_an_ended_runner_is_replaced(status: Body) -> None:
    world = ready_world()
    world.pass_time(3600)
    world.end_runners(status)
    plan = world.reconcile_council("architects")
    assert [type(action) for action in changes(plan)] == [Delete]
    assert "RayJob" in applied(world.reconcile_council("architects"))


def test_a_runner_whose_head_was_lost_is_left_to_kuberay_and_then_replaced() -> None:
    world = ready_world()
    world.pass_time(3600)
    world.beat()
    world.lose_heads()
    world.pass_time(60)
    world.beat()
    assert changes(world.reconcile_council("architects")) == []
    world.pass_time(1)
    plan = world.reconcile_council("architects")
    assert [type(action) for action in changes(plan)] == [Delete]
    assert "RayJob" in applied(world.reconcile_council("architects"))


def test_a_runner_that_ends_at_once_is_not_started_at_once() -> None:
    world = ready_world()
    world.pass_time(119)
    world.beat()
    world.end_runners(FAILED)
    assert changes(world.reconcile_council("architects")) == []
    world.pass_time(1)
    assert [type(action) for action in changes(world.reconcile_council("architects"))] == [Delete]


def test_an_ended_runner_that_is_on_its_way_out_is_not_deleted_again() -> None:
    world = ready_world()
    world.pass_time(3600)
    world.end_runners(FAILED)
    (name,) = children(world, "RayJob")
    world.children["RayJob", name]["metadata"]["deletionTimestamp"] = "2026-09-21T14:13:20Z"
    assert not [action for action in world.reconcile_council("architects").actions if isinstance(action, Delete)]


def test_without_kuberay_everything_else_goes_on() -> None:
    world = world_with()
    world.kuberay_installed = False
    assert applied(world.reconcile_council("architects")) == ["Secret", "Secret", "Service", "Deployment"]
    world.kuberay_installed = True
    assert applied(world.reconcile_council("architects")) == ["Secret", "Secret", "RayJob"]


def test_without_nats_everything_else_goes_on() -> None:
    world = world_with()
    world.bus_is_up = False
    plan = world.reconcile_council("architects")
    assert applied(plan) == ["Secret", "Secret", "Service", "Deployment", "RayJob"]
    assert world.consumers == set()
    world.bus_is_up = True
    world.reconcile_council("architects")
    assert world.consumers == set(children(world, "RayJob"))


def test_the_consumer_is_made_sure_of_while_questions_wait() -> None:
    world = ready_world()
    world.create(deliberation())
    world.settle()
    world.consumers.clear()
    world.reconcile_council("architects")
    assert world.consumers == set(children(world, "RayJob"))


def test_secrets_are_written_again_when_a_pod_misses_one() -> None:
    world = ready_world()
    (name,) = children(world, "Deployment")
    waiting = {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": "secret not found"}}}
    metadata = {"name": "x", "labels": {"app.kubernetes.io/instance": name}}
    world.pods = [{"metadata": metadata, "status": {"containerStatuses": [waiting]}}]
    assert applied(world.reconcile_council("architects")) == ["Secret", "Secret"]


def test_secrets_are_written_again_when_the_runner_misses_the_models_key() -> None:
    world = ready_world()
    world.probes = (ProbeResult(name="small", reason=Reason.SECRET_MISSING),)
    assert applied(world.reconcile_council("architects")) == ["Secret", "Secret"]


def test_a_missing_secret_of_the_users_is_not_ours_to_write() -> None:
    world = ready_world(council(council_spec(ENDPOINT)))
    world.probes = (ProbeResult(name="small", reason=Reason.SECRET_MISSING),)
    assert applied(world.reconcile_council("architects")) == []


def test_secrets_are_written_again_when_the_runner_is_not_heard() -> None:
    world = ready_world()
    world.pass_time(31)
    assert applied(world.reconcile_council("architects")) == ["Secret", "Secret"]


def test_an_impossible_spec_changes_nothing_and_takes_nothing_away() -> None:
    world = ready_world()
    before = copy.deepcopy(world.children)
    members = [{"name": "dev", "role": "Developer", "modelRef": "nobody"}]
    world.edit(world.councils["architects"], members=members)
    assert world.reconcile_council("architects").actions == ()
    assert world.children == before


def test_a_council_that_is_being_deleted_needs_nothing_from_us() -> None:
    world = ready_world()
    world.children.clear()
    world.councils["architects"]["metadata"]["deletionTimestamp"] = "2026-09-21T14:13:20Z"
    assert world.reconcile_council("architects").actions == ()


def test_d9_the_runner_belongs_to_the_council_and_not_to_a_process_of_ours() -> None:
    world = ready_world()
    (name,) = children(world, "RayJob")
    owner = world.children["RayJob", name]["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("Council", "uid-architects")


def test_d4_a_plan_needs_no_memory_of_an_earlier_one() -> None:
    """A restarted operator, or a second one, decides the same from the same world."""
    world = world_with(council(council_spec(VLLM, {**SIMULATED, "name": "second"})))
    plans = [world.reconcile_council("architects") for _ in range(2)]
    restarted = world_with(council(council_spec(VLLM, {**SIMULATED, "name": "second"})))
    assert [restarted.reconcile_council("architects") for _ in range(2)] == plans


def test_the_service_of_each_replica_comes_and_goes_with_the_replicas() -> None:
    several = {"name": "small", "vllm": {**VLLM["vllm"], "replicas": 2}}
    world = FakeWorld()
    world.create(council(council_spec(several)))
    world.settle()
    world.bring_up()
    world.settle()
    services = sorted(name for kind, name in world.children if kind == "Service")
    assert len(services) == 2
    assert services[1] == f"{services[0]}-each"
    assert ("PodDisruptionBudget", services[1]) in world.children
    assert world.reconcile_council("architects").actions == ()
    world.edit(world.councils["architects"], models=[VLLM])
    world.settle()
    world.bring_up()
    world.settle()
    world.pass_time(60)
    world.beat()
    world.settle()
    assert len([name for kind, name in world.children if kind == "Deployment"]) == 1
    assert len([name for kind, name in world.children if kind == "Service"]) == 1
    assert not [name for kind, name in world.children if kind == "PodDisruptionBudget"]


def own_runner_world(*models: Body) -> FakeWorld:
    """Return a world with a Council that keeps no runner, with all that it needs up."""
    world = FakeWorld()
    world.create(council(council_spec(*models, runner={"mode": "PerDeliberation"})))
    world.settle()
    world.bring_up()
    world.settle()
    return world


def test_a_council_whose_questions_bring_their_runner_keeps_none_and_is_ready() -> None:
    world = own_runner_world()
    assert not [key for key in world.children if key[0] == "RayJob"]
    assert not world.consumers
    status = world.councils["architects"]["status"]
    found = {one["type"]: one for one in status["conditions"]}
    assert (found["Ready"]["status"], found["Ready"]["reason"]) == ("True", "Ready")
    assert found["RunnerReady"]["status"] == "True"
    assert "a runner of its own" in found["RunnerReady"]["message"]
    assert (status["seatCount"], status["modelCount"]) == ("3/3", "1/1")
    assert "runner" not in status


def test_an_endpoint_that_nobody_asks_keeps_no_council_from_being_ready_and_is_not_said_to_answer() -> None:
    status = own_runner_world(ENDPOINT).councils["architects"]["status"]
    found = {one["type"]: one for one in status["conditions"]}
    assert (found["Ready"]["status"], found["Ready"]["reason"]) == ("True", "Ready")
    assert (found["ModelsAvailable"]["status"], found["ModelsAvailable"]["reason"]) == ("True", "NotAsked")
    assert status["modelCount"] == "0/1"
    assert "not asked before a Deliberation's own runner does" in status["models"][0]["message"]


def test_without_kuberay_no_question_could_bring_its_runner() -> None:
    world = own_runner_world()
    world.kuberay_installed = False
    world.settle()
    assert conditions_of(world.councils["architects"])["Ready"] == ("False", "KubeRayNotInstalled")


def test_a_council_that_comes_to_keep_no_runner_lets_go_of_its_warm_one_in_a_quiet_moment() -> None:
    world = FakeWorld()
    world.create(council())
    world.settle()
    world.bring_up()
    world.settle()
    world.edit(world.councils["architects"], runner={"mode": "PerDeliberation"})
    world.settle()
    assert [key for key in world.children if key[0] == "RayJob"]
    world.come_to_rest()
    assert not [key for key in world.children if key[0] == "RayJob"]


def test_a_council_that_comes_to_keep_a_runner_starts_one_and_leaves_the_others_alone() -> None:
    world = own_runner_world()
    world.create(deliberation())
    world.settle()
    (own,) = [name for kind, name in world.children if kind == "RayJob"]
    world.edit(world.councils["architects"], runner={})
    world.settle()
    assert own in {name for kind, name in world.children if kind == "RayJob"}
    assert len([key for key in world.children if key[0] == "RayJob"]) == 2
