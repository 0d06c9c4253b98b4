"""The least valid object of each kind, to be changed by tests."""

from typing import Any

from deliberation.api.v1alpha1.base import API_VERSION

Body = dict[str, Any]

SIMULATED: Body = {"name": "small", "simulated": {}}
DEVELOPER: Body = {"name": "dev", "role": "Developer", "modelRef": "small"}


def council(name: str = "council", **spec: Any) -> Body:
    """Return a Council with one simulated model and one seat; `spec` replaces or adds fields."""
    return _object("Council", name, {"models": [SIMULATED], "members": [DEVELOPER], **spec})


def deliberation(name: str = "deliberation", **spec: Any) -> Body:
    """Return a Deliberation of the Council above; `spec` replaces or adds fields."""
    return _object("Deliberation", name, {"councilRef": {"name": "council"}, "question": "Which one?", **spec})


def status_of(kind: str, name: str, status: Body) -> Body:
    """Return the body that applies a status."""
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "status": status}


def condition(kind: str, status: str = "True", reason: str = "Ready") -> Body:
    """Return one condition."""
    moment = "2026-01-01T00:00:00Z"
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "",
        "lastTransitionTime": moment,
        "observedGeneration": 1,
    }


def _object(kind: str, name: str, spec: Body) -> Body:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
