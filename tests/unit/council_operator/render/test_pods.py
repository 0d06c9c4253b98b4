from dataclasses import replace

from council_operator.render import pods
from fakes.bodies import SETTINGS
from fakes.pod_security import violations


def test_a_pod_keeps_to_the_restricted_profile() -> None:
    container = {"name": "main", "securityContext": pods.container_security()}
    assert violations(pods.pod_spec(container, [{"name": "tmp", "emptyDir": {}}], SETTINGS)) == []


def test_the_check_itself_sees_every_kind_of_violation() -> None:
    bad = {
        "hostNetwork": True,
        "volumes": [{"name": "node", "hostPath": {"path": "/"}}],
        "containers": [{"name": "main", "ports": [{"hostPort": 1}]}],
    }
    assert violations(bad) == [
        "hostNetwork is set",
        "may run as root",
        "no seccomp profile",
        "holds a token of the API server",
        "volume node is of a forbidden kind",
        "main: may gain privileges",
        "main: keeps capabilities",
        "main: may change its root file system",
        "main: reaches the node",
    ]


def test_services_of_the_namespace_do_not_reach_the_environment() -> None:
    assert pods.pod_spec({"name": "main"}, [], SETTINGS)["enableServiceLinks"] is False


def test_text_is_handed_over_as_it_is() -> None:
    assert pods.literal("$(VLLM_API_KEY)") == "$$(VLLM_API_KEY)"


def test_images_of_a_private_registry_are_pulled_with_the_named_secrets() -> None:
    settings = replace(SETTINGS, images=replace(SETTINGS.images, pull_secrets=("mine", "yours")))
    assert pods.pod_spec({"name": "main"}, [], settings)["imagePullSecrets"] == [{"name": "mine"}, {"name": "yours"}]
    assert "imagePullSecrets" not in pods.pod_spec({"name": "main"}, [], SETTINGS)
