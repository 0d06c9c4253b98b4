"""What a model server was given of the GPUs, kept on its Deployment: what runs stays where it is."""

import json
from dataclasses import asdict
from typing import Any

from council_operator.plan.gpu.nodes import Pool
from council_operator.plan.gpu.placing import Holding, Placement, ServerId
from council_operator.render import labels
from deliberation.api.v1alpha1.gpu import Sharing

Body = dict[str, Any]


def write_holding(placement: Placement) -> str:
    """Return the annotation that says what a Deployment was given."""
    several = {"replicas": placement.replicas} if placement.replicas > 1 else {}
    content = {"pool": asdict(placement.pool), "slices": placement.slices, **several}
    return json.dumps(content, separators=(",", ":"))


def read_holding(deployment: Body) -> Holding | None:
    """Return what a Deployment was given, or None if it was given nothing, or somebody wrote over it."""
    try:
        content = json.loads(labels.annotation(deployment, labels.GPU_HOLDING) or "")
        pool = content["pool"]
        selector = tuple((str(label), str(value)) for label, value in pool.pop("selector"))
        return Holding(
            ServerId(deployment["metadata"]["namespace"], deployment["metadata"]["name"]),
            Pool(**{**pool, "sharing": Sharing(pool["sharing"])}, selector=selector),
            int(content["slices"]),
            is_live=bool(deployment["spec"].get("replicas")),
            replicas=int(content.get("replicas", 1)),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
