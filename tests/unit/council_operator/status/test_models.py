from dataclasses import replace
from typing import Any

import pytest

from council_operator.plan.gpu import GpuPlan, plan_observed
from council_operator.plan.roster import build_roster
from council_operator.status.conditions import Finding
from council_operator.status.models import summarise_models
from deliberation.api.v1alpha1.council_status import ModelStatus, ReplicasStatus
from deliberation.protocol.health import ProbeResult
from fakes.bodies import ENDPOINT, SETTINGS, SIMULATED, VLLM, council, council_spec
from fakes.fake_nodes import fake_gpu_node
from fakes.fake_world import FakeWorld

Body = dict[str, Any]


def world_of(*models: Body, is_up: bool = True) -> FakeWorld:
    world = FakeWorld()
    world.create(council(council_spec(*models)))
    world.settle()
    if is_up:
        world.start_servers()
        world.start_runners()
    return world


def summary(world: FakeWorld) -> tuple[tuple[ModelStatus, ...], Finding]:
    roster = build_roster(world.councils["architects"], SETTINGS)
    return summarise_models(world.observe_council("architects"), roster, GpuPlan())


def test_a_server_whose_turn_came_only_now_still_waits_until_it_was_given_a_pod() -> None:
    world = FakeWorld(nodes=[fake_gpu_node(replicas=4)])
    world.create(council(council_spec({"name": "small", "vllm": {**VLLM["vllm"], "gpu": {"sharing": "TimeSlicing"}}})))
    world.reconcile_council("architects")

    def reason() -> str:
        observed = world.observe_council("architects")
        gpus = plan_observed(observed.gpu, frozenset(), SETTINGS, observed.now_ms)
        return summarise_models(observed, build_roster(observed.body, SETTINGS), gpus)[1].reason

    assert reason() == "AwaitingTurn"
    world.pass_time(60)
    assert reason() == "AwaitingTurn"
    world.reconcile_council("architects")
    assert reason() == "ModelStarting"


def test_a_server_that_answers_is_ready_before_anybody_probed_it() -> None:
    (model,), finding = summary(world_of(VLLM))
    assert model.ready
    assert (model.name, model.model_name, model.revision) == ("small", "Qwen/Qwen3-0.6B", "abc123")
    assert model.deployment is not None
    assert (finding.type, finding.status, finding.message) == ("ModelsAvailable", True, "1 of 1 models answer")


def test_a_starting_server_says_what_it_is_doing() -> None:
    (model,), finding = summary(world_of(VLLM, is_up=False))
    assert not model.ready
    assert finding.reason == "ModelStarting"
    assert f"Deployment {model.deployment} starts" in finding.message


def test_a_server_that_is_not_there_yet_is_being_created() -> None:
    world = world_of(VLLM, is_up=False)
    world.children.clear()
    assert "is being created" in summary(world)[1].message


def test_an_endpoint_is_ready_when_the_runner_has_reached_it() -> None:
    world = world_of(ENDPOINT)
    assert summary(world)[1].reason == "Pending"
    world.probes = (ProbeResult(name="small"),)
    (model,), finding = summary(world)
    assert model.ready
    assert model.deployment is None
    assert finding.status is True


def test_replicas_are_counted_and_one_that_answers_is_enough() -> None:
    world = world_of({"name": "small", "vllm": {**VLLM["vllm"], "replicas": 3}})
    (whole,), _ = summary(world)
    assert whole.replicas == ReplicasStatus(wanted=3, ready=3)
    assert whole.message is None
    deployment = world.children["Deployment", str(whole.deployment)]
    deployment["status"]["readyReplicas"] = 1
    (model,), finding = summary(world)
    assert (model.ready, model.message, finding.status) == (True, "1 of 3 replicas answer", True)
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes"}
    world.pods = [pod(model.deployment, conditions=[condition])]
    (model,), _ = summary(world)
    expected = f"1 of 3 replicas answer; Pod {model.deployment}-x: Unschedulable: 0/2 nodes; free or add a node"
    assert (model.message or "").startswith(expected)


def test_a_pod_that_waits_for_the_room_of_the_one_before_it_says_so() -> None:
    world = world_of(VLLM, is_up=False)
    server = summary(world)[0][0].deployment
    leaving = pod(server)
    leaving["metadata"] |= {"name": "old", "deletionTimestamp": "2026-09-21T14:13:20Z"}
    world.pods = [leaving, pod(server)]
    assert summary(world)[1].message.endswith(f"Pod {server}-x waits until Pod old has answered its last calls")


def test_a_bundle_that_does_not_do_is_named() -> None:
    reference = {"name": "company", "key": "root.pem"}
    world = world_of({"name": "small", "endpoint": {**ENDPOINT["endpoint"], "caBundleRef": reference}})
    world.probes = (ProbeResult(name="small", reason="CertificateUntrusted", message="found"),)
    _, finding = summary(world)
    assert finding.message.endswith("of the authority that signed it into key root.pem of ConfigMap company")


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("SecretMissing", "create key token of Secret llm-key in namespace team-a"),
        ("Unauthorized", "put a valid key into token of Secret llm-key in namespace team-a"),
        ("EndpointUnreachable", "check the url"),
        ("ModelNotServed", "check that the server serves big"),
        ("CABundleMissing", "put a certificate in PEM into a ConfigMap, and name it in endpoint.caBundleRef"),
        ("CertificateUntrusted", "that signed it into a ConfigMap, and name it in endpoint.caBundleRef"),
    ],
)
def test_what_the_runner_found_comes_with_what_to_do(reason: str, advice: str) -> None:
    world = world_of(ENDPOINT)
    world.probes = (ProbeResult(name="small", reason=reason, message="found"),)
    _, finding = summary(world)
    assert (finding.status, finding.reason) == (False, reason)
    assert finding.message.startswith("model small: found; ")
    assert advice in finding.message


def test_a_reason_of_a_newer_runner_is_shown_in_the_text() -> None:
    world = world_of(ENDPOINT)
    world.probes = (ProbeResult(name="small", reason="SomethingNew"),)
    _, finding = summary(world)
    assert (finding.reason, finding.message) == ("ModelUnavailable", "model small: SomethingNew")


def test_an_open_endpoint_that_wants_a_key_is_told_where_to_put_it() -> None:
    world = world_of({"name": "small", "endpoint": {"url": "http://x/v1", "modelName": "m"}})
    world.probes = (ProbeResult(name="small", reason="Unauthorized", message="HTTP 401"),)
    assert "into apiKeySecretRef" in summary(world)[1].message


def pod(server: str | None, **status: Any) -> Body:
    return {"metadata": {"name": f"{server}-x", "labels": {"app.kubernetes.io/instance": server}}, "status": status}


@pytest.mark.parametrize(
    ("waiting", "reason", "text"),
    [
        (
            {"reason": "ImagePullBackOff", "message": "not found"},
            "ModelUnavailable",
            "not found; check the image",
        ),
        (
            {"reason": "CreateContainerConfigError", "message": 'secret "hf" not found'},
            "SecretMissing",
            'CreateContainerConfigError: secret "hf" not found; create the Secret',
        ),
        ({"reason": "CreateContainerConfigError", "message": "bad"}, "ModelUnavailable", "logs"),
        ({"reason": "CrashLoopBackOff"}, "ModelUnavailable", "see kubectl -n team-a logs"),
    ],
)
def test_what_keeps_the_pod_is_named_with_the_pod(waiting: Body, reason: str, text: str) -> None:
    world = world_of(VLLM, is_up=False)
    server = summary(world)[0][0].deployment
    world.pods = [pod(server, containerStatuses=[{"state": {"waiting": waiting}}])]
    (model,), finding = summary(world)
    assert finding.reason == reason
    assert f"Pod {server}-x: " in finding.message
    assert text in finding.message
    assert model.message is not None
    assert text in model.message


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("x.py: error: unrecognized arguments: --y", "unrecognized arguments: --y; correct the model's engineArgs"),
        ("OSError: no file named config.json", "no file named config.json; see kubectl -n team-a logs"),
    ],
)
def test_a_server_that_ends_is_told_in_its_last_words(said: str, advice: str) -> None:
    world = world_of(VLLM, is_up=False)
    server = summary(world)[0][0].deployment
    last = {"terminated": {"reason": "Error", "exitCode": 2, "message": said}}
    states: list[Body] = [{"waiting": {"reason": "CrashLoopBackOff"}}, {"running": {}}]
    for state in states:
        world.pods = [pod(server, containerStatuses=[{"state": state, "restartCount": 2, "lastState": last}])]
        finding = summary(world)[1]
        assert (finding.status, finding.reason) == (False, "ModelUnavailable")
        assert advice in finding.message


def test_a_server_that_ran_out_of_memory_is_told_what_helps() -> None:
    world = world_of(VLLM, is_up=False)
    last = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    container = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 2, "lastState": last}
    world.pods = [pod(summary(world)[0][0].deployment, containerStatuses=[container])]
    assert "take a smaller model" in summary(world)[1].message


MOUNTED = {"persistentVolumeClaim": {"claimName": "weights", "path": "small"}}


@pytest.mark.parametrize(
    ("weights", "state", "text"),
    [
        ({}, {"waiting": {"reason": "ContainerCreating"}}, "waits for its image and its volumes"),
        ({}, {"running": {"startedAt": "2026-09-21T14:13:20Z"}}, "downloads its weights and loads them, since 2026-"),
        (MOUNTED, {"running": {"startedAt": "2026-09-21T14:13:20Z"}}, "loads its weights, since 2026-"),
    ],
)
def test_a_start_says_how_far_it_has_come(weights: Body, state: Body, text: str) -> None:
    world = world_of({"name": "small", "vllm": {**VLLM["vllm"], "weights": weights}}, is_up=False)
    server = summary(world)[0][0].deployment
    world.pods = [pod(server, containerStatuses=[{"state": state}])]
    finding = summary(world)[1]
    assert finding.reason == "ModelStarting"
    assert f"Pod {server}-x {text}" in finding.message


def test_a_deployment_that_may_create_no_pod_says_why() -> None:
    world = world_of(VLLM, is_up=False)
    server = summary(world)[0][0].deployment
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    world.children["Deployment", str(server)]["status"] = {"conditions": [{"type": "Progressing"}, refused]}
    assert "gets no pod: exceeded quota" in summary(world)[1].message


def test_the_condition_lists_every_model_that_is_missing() -> None:
    world = world_of(VLLM, {**ENDPOINT, "name": "far"})
    world.probes = (ProbeResult(name="far", reason="EndpointUnreachable", message="no route"),)
    models, finding = summary(world)
    assert [model.ready for model in models] == [True, False]
    assert finding.message.startswith("model far: no route")


def test_d7_a_simulated_model_says_so() -> None:
    models, _ = summary(world_of(VLLM, {**SIMULATED, "name": "pretender"}))
    assert [model.simulated for model in models] == [False, True]
    assert models[1].model_name == "simulated"


def test_a_model_is_ready_when_its_adapters_answer_too() -> None:
    model = {"name": "small", "vllm": {**VLLM["vllm"], "adapters": [{"name": "law", "hub": "org/law"}]}}
    world = world_of(model)
    world.edit(
        world.councils["architects"], members=[{"name": "a", "role": "QA", "modelRef": "small", "adapter": "law"}]
    )
    world.probes = (ProbeResult(name="small"), ProbeResult(name="small/law", reason="ModelNotServed"))
    (status,), finding = summary(world)
    assert (status.name, status.ready, status.model_name) == ("small", False, "Qwen/Qwen3-0.6B")
    assert finding.reason == "ModelNotServed"
    assert "check that the server serves law" in finding.message
    world.probes = (ProbeResult(name="small"), ProbeResult(name="small/law"))
    assert summary(world)[0][0].ready


def test_what_the_api_server_refuses_is_told_in_its_words() -> None:
    world = world_of(VLLM, is_up=False)
    roster = build_roster(world.councils["architects"], SETTINGS)
    said = {roster.servers[0].name: "spec.template.spec.volumes[3].image: Required value"}
    observed = replace(world.observe_council("architects"), refusals=said)
    (model,), finding = summarise_models(observed, roster, GpuPlan())
    assert finding.reason == "ModelUnavailable"
    assert "Required value; correct the model's spec" in str(model.message)
