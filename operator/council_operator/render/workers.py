"""Ray workers beside the head of a runner's cluster, and the autoscaler that starts them when seats find no room.

Seats wait for others nearly all the time and reserve no CPU. What they take is memory, a process each: so a node has
room for a number of seats, which Ray counts as a resource of its own.
"""

import json
from typing import Any

from council_operator.render import pods
from council_operator.render.labels import Body
from deliberation.api.v1alpha1.council import Runner

SEATS_PER_NODE = 16
"""Seats for which a node has room: some 130 MiB each, beside the 1.3 GiB of Ray itself."""

SEATS_PARAMETER = json.dumps(json.dumps({"seat": SEATS_PER_NODE}))
"""The room as a start parameter: KubeRay puts it into a shell line as it is, so it carries its own quotes."""

IDLE_SECONDS = 300
"""How long a worker without seats is kept."""

GROUP = "seats"

_TOKEN_VOLUME = "autoscaler-token"  # noqa: S105 - the name of a volume
_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - where Kubernetes clients look for it
_TOKEN_SECONDS = 3600


def are_scaled(runner: Runner) -> bool:
    """Return whether the number of workers changes by itself."""
    return runner.workers.max > runner.workers.min


def count_room(runner: Runner) -> int:
    """Return for how many seats there can be room; 0 when it is not counted, because all are on the head."""
    return SEATS_PER_NODE * (1 + runner.workers.max) if runner.workers.max else 0


def render(runner: Runner, start_parameters: Body, template: Body) -> Body:
    """Return the parts of a RayCluster's spec that are about workers; none when there are none."""
    if not runner.workers.max:
        return {}
    group = {
        "groupName": GROUP,
        "replicas": runner.workers.min,
        "minReplicas": runner.workers.min,
        "maxReplicas": runner.workers.max,
        "rayStartParams": start_parameters,
        "template": template,
    }
    return {"workerGroupSpecs": [group], **(_autoscaling() if are_scaled(runner) else {})}


def with_token(template: Body) -> Body:
    """Return the head's template with the token by which the autoscaler asks for workers, for it alone to mount."""
    expiring = {"serviceAccountToken": {"path": "token", "expirationSeconds": _TOKEN_SECONDS}}
    authority = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    field: dict[str, Any] = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    sources = [expiring, authority, {"downwardAPI": {"items": [field]}}]
    added = [
        {"name": _TOKEN_VOLUME, "projected": {"defaultMode": 0o440, "sources": sources}},
        {"name": "autoscaler-tmp", "emptyDir": {}},
    ]
    spec = template["spec"]
    return {**template, "spec": {**spec, "volumes": [*spec["volumes"], *added]}}


def _autoscaling() -> Body:
    """Return the autoscaler that KubeRay puts beside the head."""
    return {
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {
            "version": "v2",
            "idleTimeoutSeconds": IDLE_SECONDS,
            "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}},
            "securityContext": pods.container_security(),
            "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108 - an emptyDir of the pod
            "volumeMounts": [
                {"name": _TOKEN_VOLUME, "mountPath": _TOKEN_PATH, "readOnly": True},
                {"name": "autoscaler-tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of the pod
            ],
        },
    }
