"""Reads who waits, once, when the operator starts."""

from council_operator.kube.port import Kubernetes, NotFoundError
from council_operator.loops import Key
from council_operator.queues import Queues
from deliberation.api.v1alpha1.base import API_VERSION


async def fill(queues: Queues, kubernetes: Kubernetes, namespaces: tuple[str, ...]) -> None:
    """Tell the queues of all Councils and Deliberations, of all namespaces if none are named, and open them.

    May be repeated. A cluster that does not have our kinds yet has nobody who waits.

    Raises:
        KubernetesError: the API server refused or was out of reach.
    """
    for namespace in namespaces or (None,):
        try:
            await _fill_from(queues, kubernetes, namespace)
        except NotFoundError:
            continue
    queues.open()


async def _fill_from(queues: Queues, kubernetes: Kubernetes, namespace: str | None) -> None:
    async for page in kubernetes.list_pages(API_VERSION, "Council", namespace):
        for body in page:
            queues.council_changed(Key("Council", body["metadata"]["namespace"], body["metadata"]["name"]), body)
    async for page in kubernetes.list_pages(API_VERSION, "Deliberation", namespace):
        for body in page:
            metadata = body["metadata"]
            queues.deliberation_changed(Key("Deliberation", metadata["namespace"], metadata["name"]), body)
