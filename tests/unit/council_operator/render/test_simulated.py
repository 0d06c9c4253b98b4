from council_operator.render import simulated
from deliberation.api.v1alpha1.council_models import SimulatedModel
from fakes.bodies import SETTINGS, council
from fakes.pod_security import violations

MODEL = SimulatedModel(accuracy_percent=1, latency_milliseconds=2, failure_percent=3, malformed_percent=4, seed=5)
BODY = simulated.render_deployment("model-1", MODEL, council(), SETTINGS)


def test_d7_a_simulated_server_cannot_be_mistaken_for_a_real_one() -> None:
    service = simulated.render_service("model-1", council())
    for metadata in (BODY["metadata"], BODY["spec"]["template"]["metadata"], service["metadata"]):
        assert metadata["labels"]["councils.dev/simulated"] == "true"
        assert metadata["labels"]["app.kubernetes.io/name"] == "simulated-model"


def test_it_keeps_to_the_restricted_profile() -> None:
    assert violations(BODY["spec"]["template"]["spec"]) == []


def test_every_declared_property_reaches_the_server() -> None:
    container = BODY["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["python", "-m", "deliberation.models.simulated"]
    assert container["args"] == [
        "--model-name=simulated",
        "--port=8000",
        "--accuracy-percent=1",
        "--latency-milliseconds=2",
        "--failure-percent=3",
        "--malformed-percent=4",
        "--seed=5",
    ]
    assert container["image"] == SETTINGS.images.operator
