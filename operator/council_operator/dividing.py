"""Divides GPUs where the administrator lets the operator do so: the one place that writes to nodes."""

import logging
from dataclasses import replace

from council_operator.apply.actions import emit
from council_operator.kube.port import ConflictError, Kubernetes
from council_operator.loops import Again, Key
from council_operator.plan.actions import EmitEvent, ObjectReference
from council_operator.plan.gpu import DivisionPlan, NodeChange, plan_division
from council_operator.plan.gpu.division import FIELD_MANAGER
from council_operator.plan.settings import GpuDivision

logger = logging.getLogger(__name__)

KEY = Key("GpuDivision", "", "")
"""The loop that looks at all nodes together."""

RESYNC_SECONDS = 60.0
AFTER_ACTING_SECONDS = 1.0


class Divider:
    """Brings nodes and the device plugin's ConfigMap to what the administrator wants, and back."""

    def __init__(self, kubernetes: Kubernetes, division: GpuDivision) -> None:
        self._kubernetes = kubernetes
        self._division = division
        self._told = ""

    async def look(self) -> Again:
        """Do what is to be done now.

        Raises:
            KubernetesError: the API server refused or was out of reach.
        """
        acted = await self._do(await self._plan(self._division))
        return Again(AFTER_ACTING_SECONDS if acted else RESYNC_SECONDS, acted)

    async def restore(self) -> None:
        """Take our labels off all nodes, and then our keys out of the ConfigMap.

        Raises:
            KubernetesError: the API server refused or was out of reach.
        """
        nobody = replace(self._division, selector=())
        await self._do(await self._plan(nobody))
        await self._do(await self._plan(nobody))

    async def _plan(self, division: GpuDivision) -> DivisionPlan:
        nodes = await self._kubernetes.list_everywhere("v1", "Node", "")
        reference = ObjectReference("v1", "ConfigMap", division.namespace, division.config_map)
        return plan_division(division, nodes, await self._kubernetes.find(reference))

    async def _do(self, plan: DivisionPlan) -> bool:
        """Carry a plan out; return whether anything changed."""
        self._tell(plan.missing)
        if plan.config:
            try:
                await self._kubernetes.contribute(plan.config, FIELD_MANAGER)
            except ConflictError as error:
                self._tell(f"the ConfigMap of the device plugin is left as it is: {error.message}")
                return False
        changed = [await self._change(change) for change in plan.changes]
        return plan.config is not None or any(changed)

    async def _change(self, change: NodeChange) -> bool:
        try:
            await self._kubernetes.contribute(change.body, FIELD_MANAGER)
        except ConflictError as error:
            self._tell(f"node {change.node['metadata']['name']} is left as it is: {error.message}")
            return False
        logger.info("node %s: %s", change.node["metadata"]["name"], change.message)
        event = EmitEvent("Normal", change.reason, change.message)
        subject = {**change.node, "apiVersion": "v1", "kind": "Node"}
        await emit(event, subject, self._kubernetes)
        return True

    def _tell(self, fault: str) -> None:
        """Log a fault once, and not at every look."""
        if fault and fault != self._told:
            logger.warning("%s", fault)
        self._told = fault
