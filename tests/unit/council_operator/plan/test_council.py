import copy
from typing import Any

import pytest

from council_operator.plan.actions import Delete, EnsureTaskConsumer
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.protocol.health import ProbeResult
from fakes.bodies import ENDPOINT, SIMULATED, VLLM, council, council_spec, deliberation
from fakes.fake_world import FakeWorld, conditions_of
from unit.council_operator.plan.worlds import Body, applied, changes, children, ready_world, world_with


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
    world = ready_world(council(council_spec(several)))
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
    return ready_world(council(council_spec(*models, runner={"mode": "PerDeliberation"})))


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
    world = ready_world()
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
