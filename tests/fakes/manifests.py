"""Manifests for tests, as a user writes them."""

from typing import Any

import yaml

Body = dict[str, Any]

SIMULATED: Body = {"name": "small", "simulated": {"latencyMilliseconds": 0, "accuracyPercent": 100}}


def council(name: str = "devs", models: list[Body] | None = None, seats: int = 3, **changes: Any) -> Body:
    """Return a Council of one member on the first of its models."""
    models = models or [SIMULATED]
    member = {"name": "dev", "role": "Developer", "seats": seats, "modelRef": models[0]["name"]}
    spec = {"models": models, "members": [member], **changes}
    return {"apiVersion": "councils.dev/v1alpha1", "kind": "Council", "metadata": {"name": name}, "spec": spec}


def deliberation(name: str = "why", council: str = "devs", **changes: Any) -> Body:
    """Return a Deliberation."""
    spec = {"councilRef": {"name": council}, "question": "Why?", "timeoutSeconds": 60, **changes}
    return {"apiVersion": "councils.dev/v1alpha1", "kind": "Deliberation", "metadata": {"name": name}, "spec": spec}


def text(*bodies: Body) -> list[tuple[str, str]]:
    """Return the objects as one file."""
    return [("file.yaml", yaml.safe_dump_all(bodies))]
