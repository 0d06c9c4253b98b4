"""`python -m council_operator.restore`: end the operator, and give the GPUs that it divided back, before it is removed.

The chart runs it as a hook. The operator is scaled to zero first, for it would divide them again.
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable

from council_operator.dividing import Divider
from council_operator.kube.client import KubernetesClient
from council_operator.kube.port import Kubernetes, KubernetesError
from council_operator.plan.actions import ObjectReference
from council_operator.plan.settings import GpuDivision
from council_operator.settings import SettingsError, read_gpu_division

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
END_SECONDS = 120.0


class StillRunningError(Exception):
    """The operator did not end in time."""


async def restore(
    kubernetes: Kubernetes,
    operator: ObjectReference,
    selector: str,
    division: GpuDivision,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Scale the operator's Deployment to zero, wait until its pods, found by `selector`, are gone, and restore nodes.

    Raises:
        KubernetesError: the API server refused or was out of reach.
        StillRunningError: the operator did not end in time.
    """
    if await kubernetes.find(operator) is not None:
        await kubernetes.merge(operator, {"metadata": {}, "spec": {"replicas": 0}})
    until = monotonic() + END_SECONDS
    while await kubernetes.list_labelled("v1", "Pod", operator.namespace, selector):
        if monotonic() > until:
            raise StillRunningError(f"pods of {operator.name} are still there after {END_SECONDS:.0f} s")
        await asyncio.sleep(LOOK_SECONDS)
    await Divider(kubernetes, division).restore()
    logger.info("nodes and ConfigMap are as they would be without us")


async def run(division: GpuDivision, operator: ObjectReference, selector: str) -> None:
    """Connect, restore, disconnect."""
    kubernetes = await KubernetesClient.connect()
    try:
        await restore(kubernetes, operator, selector, division)
    finally:
        await kubernetes.close()


def main() -> int:
    """Restore what COUNCIL_GPU_SHARING divided; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        division = read_gpu_division(os.environ)
        if division is None:
            return 0
        namespace, name = os.environ["COUNCIL_NAMESPACE"], os.environ["COUNCIL_DEPLOYMENT"]
        operator = ObjectReference("apps/v1", "Deployment", namespace, name)
        asyncio.run(run(division, operator, os.environ["COUNCIL_SELECTOR"]))
    except (SettingsError, KeyError, KubernetesError, StillRunningError) as error:
        logger.error("nodes keep the division of their GPUs: %s", error)  # noqa: TRY400 - the message says it all
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
