"""Writes a status, when it says something new."""

from typing import Any

from council_operator.kube.port import Kubernetes, NotFoundError

Body = dict[str, Any]

FIELD_MANAGER = "council-operator-status"


async def write_status(subject: Body, status: Body, kubernetes: Kubernetes) -> bool:
    """Make `status` the object's status; return whether it had to be written. An object that is gone needs none.

    Raises:
        KubernetesError: the API server refused or was out of reach.
    """
    if subject.get("status") == status:
        return False
    metadata = subject["metadata"]
    body = {
        "apiVersion": subject["apiVersion"],
        "kind": subject["kind"],
        "metadata": {"namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]},
        "status": status,
    }
    try:
        await kubernetes.apply_status(body, FIELD_MANAGER)
    except NotFoundError:
        return False
    return True
