"""A model server that only pretends, as a Deployment that nobody can mistake for a real one."""

from council_operator.plan.settings import RenderSettings
from council_operator.render import labels, pods, servers
from council_operator.render.labels import Body
from council_operator.render.names import MODEL_PORT, MODELS_API_KEY, MODELS_SECRET
from deliberation.api.v1alpha1.council_models import SimulatedModel

APPLICATION = "simulated-model"
MODEL_NAME = "simulated"
"""Name under which every simulated model is served, and shown wherever a model's name is shown."""

START_SECONDS = 120

_MARK = {labels.SIMULATED_LABEL: "true"}


def render_deployment(name: str, model: SimulatedModel, council: Body, settings: RenderSettings) -> Body:
    """Return the Deployment of a simulated model server."""
    container = {
        **servers.server_container("simulated-model", settings.images.operator, settings, START_SECONDS),
        "command": ["python", "-m", "deliberation.models.simulated"],
        "args": _flags(model),
        "env": [pods.secret_variable("COUNCIL_API_KEY", MODELS_SECRET, MODELS_API_KEY)],
        "resources": pods.resources(settings.simulated),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - an emptyDir of the pod
    }
    pod = pods.pod_spec(container, [{"name": "tmp", "emptyDir": {}}], settings)
    return labels.seal(servers.build_deployment(name, APPLICATION, council, settings, pod, _MARK))


def render_service(name: str, council: Body) -> Body:
    """Return the Service of a simulated model server."""
    return servers.render_service(name, APPLICATION, council, _MARK)


def _flags(model: SimulatedModel) -> list[str]:
    return [
        f"--model-name={MODEL_NAME}",
        f"--port={MODEL_PORT}",
        f"--accuracy-percent={model.accuracy_percent}",
        f"--latency-milliseconds={model.latency_milliseconds}",
        f"--failure-percent={model.failure_percent}",
        f"--malformed-percent={model.malformed_percent}",
        f"--seed={model.seed}",
    ]
