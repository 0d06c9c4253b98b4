import json
from typing import Any

from council_operator.render import rayjob
from council_operator.render.rayjob import Outfit
from deliberation.api.v1alpha1.council import Runner
from fakes.bodies import SETTINGS, council, deliberation
from fakes.pod_security import violations

Body = dict[str, Any]


def rendered(**runner: Any) -> Body:
    declared = Runner.model_validate(runner)
    mounted = rayjob.Mounted(secrets=("llm-key", "other"), ca_bundles=("company",))
    return rayjob.render_ray_job("runner-1", Outfit("runner-image", mounted, declared), council(), SETTINGS)


BODY = rendered()
CLUSTER = BODY["spec"]["rayClusterSpec"]
HEAD = CLUSTER["headGroupSpec"]["template"]
CONTAINER = HEAD["spec"]["containers"][0]


def test_the_runner_is_one_warm_job_that_kuberay_neither_ends_nor_repeats() -> None:
    spec = BODY["spec"]
    assert spec["submissionMode"] == "HTTPMode"
    assert spec["entrypoint"] == "python -m deliberation.runner"
    assert spec["backoffLimit"] == 0
    assert spec["shutdownAfterJobFinishes"] is True
    assert "activeDeadlineSeconds" not in spec
    assert "workerGroupSpecs" not in CLUSTER


def test_a_head_that_answers_no_more_is_started_again_within_a_minute_or_so() -> None:
    alive, ready = CONTAINER["livenessProbe"], CONTAINER["readinessProbe"]
    assert alive["periodSeconds"] * alive["failureThreshold"] + alive["timeoutSeconds"] <= 65
    assert alive["httpGet"] == ready["httpGet"] == {"path": "/api/healthz", "port": 52365}
    assert "initialDelaySeconds" not in ready


def test_a_head_that_starts_slowly_is_left_to_start() -> None:
    start = CONTAINER["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] >= 300


def test_ray_is_guarded_by_a_token() -> None:
    assert CLUSTER["authOptions"] == {"mode": "token"}
    assert CLUSTER["rayVersion"] == "2.60.0"


def test_the_head_keeps_to_the_restricted_profile() -> None:
    assert violations(HEAD["spec"]) == []


def test_only_ids_and_addresses_are_in_the_environment() -> None:
    assert {one["name"]: one["value"] for one in CONTAINER["env"]} == {
        "COUNCIL_NAMESPACE": "team-a",
        "COUNCIL_RUNNER": "runner-1",
        "COUNCIL_BUS_URL": "nats://nats.council-system.svc:4222",
        "COUNCIL_BUS_USER": "runner",
        "COUNCIL_SECRETS_DIR": "/var/run/council/secrets",
        "COUNCIL_MAX_CONCURRENT": "8",
        "COUNCIL_SEATS_WITH_ROOM": "0",
        "HOME": CONTAINER["volumeMounts"][0]["mountPath"],
    }


def test_no_secret_stands_anywhere_in_the_body() -> None:
    text = json.dumps(BODY)
    assert SETTINGS.bus_password not in text
    assert SETTINGS.derivation_key.decode() not in text


def test_each_secret_is_a_volume_of_its_own_and_a_missing_one_does_not_stop_the_pod() -> None:
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"] if "secret" in mount["name"]}
    volumes = {volume["name"]: volume["secret"] for volume in HEAD["spec"]["volumes"] if "secret" in volume}
    assert {volumes[name]["secretName"]: path for name, path in mounts.items()} == {
        secret: f"/var/run/council/secrets/{secret}" for secret in ("council-bus", "council-models", "llm-key", "other")
    }
    assert all(volume["optional"] for volume in volumes.values())


def test_certificate_authorities_lie_beside_the_secrets_and_missing_ones_do_not_stop_the_pod() -> None:
    [mount] = [one for one in CONTAINER["volumeMounts"] if "certificates" in one["mountPath"]]
    volumes = {volume["name"]: volume for volume in HEAD["spec"]["volumes"]}
    assert (mount["mountPath"], mount["readOnly"]) == ("/var/run/council/certificates/company", True)
    assert volumes[mount["name"]]["configMap"] == {"name": "company", "optional": True, "defaultMode": 0o440}


def test_kuberays_own_selector_label_is_left_to_kuberay() -> None:
    assert HEAD["metadata"]["labels"] == {
        "app.kubernetes.io/instance": "runner-1",
        "app.kubernetes.io/component": "runner",
        "app.kubernetes.io/managed-by": "council-operator",
    }


def test_start_parameters_are_strings_as_kuberay_wants_them() -> None:
    assert all(isinstance(value, str) for value in CLUSTER["headGroupSpec"]["rayStartParams"].values())


def test_labels_for_kueue_are_the_councils_and_its_suspension_is_not_ours() -> None:
    owner = council()
    owner["metadata"]["labels"] = {
        "kueue.x-k8s.io/queue-name": "team",
        "kueue.x-k8s.io/priority-class": "high",
        "kueue.x-k8s.io/other": "x",
        "app": "mine",
    }
    body = rayjob.render_ray_job("runner-1", Outfit("runner-image", rayjob.Mounted(), Runner()), owner, SETTINGS)
    theirs = {name: value for name, value in body["metadata"]["labels"].items() if "kueue" in name or name == "app"}
    assert theirs == {"kueue.x-k8s.io/queue-name": "team", "kueue.x-k8s.io/priority-class": "high"}
    assert "suspend" not in body["spec"]
    assert body["spec"]["shutdownAfterJobFinishes"] is True


def test_a_sleeping_runner_is_suspended_and_says_by_whom() -> None:
    asleep, awake = (
        rayjob.render_ray_job(
            "r", Outfit("image", rayjob.Mounted(), Runner()), council(), SETTINGS, is_asleep=is_asleep
        )
        for is_asleep in (True, False)
    )
    assert asleep["spec"].pop("suspend") is True
    assert asleep["spec"] == awake["spec"]
    assert [one["metadata"]["annotations"]["councils.dev/asleep"] for one in (asleep, awake)] == ["true", "false"]


ATTEMPT = rayjob.render_attempt(
    "d-0123456789",
    2,
    Outfit("runner-image", rayjob.Mounted(secrets=("llm-key",)), Runner()),
    council(),
    deliberation(timeoutSeconds=900),
    SETTINGS,
)


def test_an_attempt_is_bounded_by_its_question_and_leaves_no_cluster() -> None:
    spec = ATTEMPT["spec"]
    assert ATTEMPT["metadata"]["name"] == "d-0123456789-a2"
    assert (spec["activeDeadlineSeconds"], spec["preRunningDeadlineSeconds"]) == (900 + 180, 300)
    assert (spec["shutdownAfterJobFinishes"], spec["backoffLimit"], spec["submissionMode"]) == (True, 0, "HTTPMode")
    assert "suspend" not in spec
    assert spec["rayClusterSpec"]["authOptions"] == {"mode": "token"}


def test_an_attempt_goes_with_its_question_and_is_found_by_it() -> None:
    metadata = ATTEMPT["metadata"]
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Deliberation", "uid-q1")
    pod = ATTEMPT["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["metadata"]["labels"]
    for found in (metadata["labels"], pod):
        assert found["councils.dev/deliberation"] == "uid-q1"
        assert found["app.kubernetes.io/instance"] == "d-0123456789-a2"
        assert found["app.kubernetes.io/component"] == "runner"


def test_an_attempt_is_given_ids_and_neither_question_nor_secret() -> None:
    text = json.dumps(ATTEMPT)
    assert "Which database?" not in text
    assert SETTINGS.bus_password not in text
    container = ATTEMPT["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert (environment["COUNCIL_RUNNER"], environment["COUNCIL_ONE_TASK"]) == ("d-0123456789", "true")
    warm = {one["name"]: one["value"] for one in CONTAINER["env"]}
    assert environment.keys() - warm.keys() == {"COUNCIL_ONE_TASK"}


def test_an_attempt_asks_kueue_for_quota_as_its_council_says() -> None:
    asking = council()
    asking["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "team", "app": "mine"}
    outfit = Outfit("image", rayjob.Mounted(), Runner())
    body = rayjob.render_attempt("d-0123456789", 1, outfit, asking, deliberation(), SETTINGS)
    assert body["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    assert "app" not in body["metadata"]["labels"]


def test_the_pods_of_an_attempt_are_as_confined_as_all_others() -> None:
    template = ATTEMPT["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]
    assert violations(template["spec"]) == []
