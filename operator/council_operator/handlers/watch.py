"""The events that wake the loops.

Only `on.event`, no daemon: a daemon would put Kopf's own finalizer on every object, would not be started again for an
object whose deletion began while the operator was down, and could not clean the bus up then.
"""

import kopf

from council_operator.render.labels import MANAGED_BY_SELECTOR
from council_operator.wakes import Wakes
from deliberation.api import GROUP

VERSION = "v1alpha1"


def register(
    registry: kopf.OperatorRegistry, settings: kopf.OperatorSettings, wakes: Wakes, *, nodes: bool = False
) -> None:
    """Have every event of our kinds and of the objects we own wake whom it concerns; of nodes, where they are read."""

    @kopf.on.event(GROUP, VERSION, "councils", registry=registry)
    async def council(event: kopf.RawEvent, **_: object) -> None:
        wakes.council_changed(event["type"], dict(event["object"]))

    @kopf.on.event(GROUP, VERSION, "deliberations", registry=registry)
    async def deliberation(event: kopf.RawEvent, **_: object) -> None:
        wakes.deliberation_changed(event["type"], dict(event["object"]))

    @kopf.on.event("apps", "v1", "deployments", registry=registry)
    @kopf.on.event("ray.io", "v1", "rayjobs", registry=registry)
    async def child(event: kopf.RawEvent, **_: object) -> None:
        wakes.child_changed(dict(event["object"]))

    if nodes:

        @kopf.on.event("", "v1", "nodes", registry=registry)
        async def node(event: kopf.RawEvent, **_: object) -> None:
            wakes.node_changed(event["type"], dict(event["object"]))

    settings.watching.label_selectors["apps", "deployments"] = MANAGED_BY_SELECTOR
    settings.watching.label_selectors["ray.io", "rayjobs"] = MANAGED_BY_SELECTOR
