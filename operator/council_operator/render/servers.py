"""The Deployment and the Service of one model server, whatever runs in it."""

from council_operator.plan.settings import RenderSettings
from council_operator.render import credentials, labels, pods
from council_operator.render.labels import Body
from council_operator.render.names import MODEL_PORT, replicas_name

COMPONENT = "model"
PORT_NAME = "http"
POLICY_API = "policy/v1"
MODELS_SELECTOR = f"{labels.MANAGED_BY_SELECTOR},{labels.COMPONENT_LABEL}={COMPONENT}"


def render_service(name: str, application: str, council: Body, extra_labels: dict[str, str]) -> Body:
    """Return the Service through which seats reach a model server."""
    own = labels.child_labels(application, COMPONENT, name)
    body = labels.child("v1", "Service", name, council, {**own, **extra_labels})
    spec = {
        "type": "ClusterIP",
        "selector": _selector(own),
        "ports": [{"name": PORT_NAME, "port": MODEL_PORT, "protocol": "TCP", "targetPort": PORT_NAME}],
    }
    return labels.seal({**body, "spec": spec})


def render_replicas_service(name: str, application: str, council: Body) -> Body:
    """Return the headless Service by which seats find every replica that is ready, to choose among them."""
    body = render_service(name, application, council, {})
    body["metadata"] |= {"name": replicas_name(name)}
    return labels.seal({**body, "spec": {**body["spec"], "clusterIP": "None"}})


def render_disruption_budget(name: str, application: str, council: Body) -> Body:
    """Return the PodDisruptionBudget of a server with several replicas: whoever empties nodes takes them one by one.

    A server with a single replica gets none: it could never be spared, and the budget would keep its node from being
    drained for ever, where moving it costs no more than a short wait. For the same reason a pod that does not answer
    may always be evicted.
    """
    own = labels.child_labels(application, COMPONENT, name)
    body = labels.child(POLICY_API, "PodDisruptionBudget", replicas_name(name), council, own)
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": _selector(own)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return labels.seal({**body, "spec": spec})


def build_deployment(
    name: str, application: str, council: Body, settings: RenderSettings, pod: Body, extra_labels: dict[str, str]
) -> Body:
    """Return the Deployment of a model server, to be completed and sealed.

    Recreate: two servers at once would need the memory twice. The digest of the API key stands on the pods, so
    that a new key rolls them.
    """
    own = labels.child_labels(application, COMPONENT, name)
    namespace = council["metadata"]["namespace"]
    body = labels.child("apps/v1", "Deployment", name, council, {**own, **extra_labels})
    body["metadata"]["annotations"] = {labels.CREDENTIALS_DIGEST: credentials.models_digest(namespace, settings)}
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": _selector(own)},
        "template": {
            "metadata": {
                "labels": {**own, **extra_labels},
                "annotations": {labels.CREDENTIALS_DIGEST: credentials.models_digest(namespace, settings)},
            },
            "spec": pod,
        },
    }
    return {**body, "spec": spec}


def server_container(name: str, image: str, settings: RenderSettings, startup_seconds: int) -> Body:
    """Return the container of a model server without its program: port, probes, security.

    `startup_seconds` is how long it may take to answer at all.
    """
    health = {"httpGet": {"path": "/health", "port": PORT_NAME}}
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": settings.images.pull_policy,
        "ports": [{"name": PORT_NAME, "containerPort": MODEL_PORT, "protocol": "TCP"}],
        "startupProbe": {**health, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": startup_seconds // 2},
        "readinessProbe": {**health, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**health, "periodSeconds": 20, "timeoutSeconds": 10, "failureThreshold": 3},
        "securityContext": pods.container_security(),
    }


def _selector(own: dict[str, str]) -> dict[str, str]:
    return {key: own[key] for key in (labels.INSTANCE_LABEL, labels.COMPONENT_LABEL)}
