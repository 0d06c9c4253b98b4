from dataclasses import replace

from council_operator.render import labels, servers
from fakes.bodies import SETTINGS, council


def test_a_new_api_key_rolls_the_pods() -> None:
    def pods_of(settings: object) -> object:
        body = servers.build_deployment("model-1", "vllm", council(), settings, {}, {})  # type: ignore[arg-type]
        return body["spec"]["template"]

    assert pods_of(SETTINGS) != pods_of(replace(SETTINGS, derivation_key=b"another"))


def test_objects_and_pods_carry_the_operators_labels() -> None:
    body = servers.build_deployment("model-1", "vllm", council(), SETTINGS, {}, {"extra": "yes"})
    for metadata in (body["metadata"], body["spec"]["template"]["metadata"]):
        assert metadata["labels"] == {
            "app.kubernetes.io/name": "vllm",
            "app.kubernetes.io/instance": "model-1",
            "app.kubernetes.io/component": "model",
            "app.kubernetes.io/managed-by": "council-operator",
            "extra": "yes",
        }
    assert labels.MANAGED_BY_SELECTOR == "app.kubernetes.io/managed-by=council-operator"
