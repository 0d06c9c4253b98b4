"""Reads who waits, and who was admitted, once, when the operator starts."""

from council_operator.kube.port import Kubernetes, NotFoundError
from council_operator.loops import Key
from council_operator.queues import Queues
from deliberation.api.v1alpha1.base import API_VERSION
from deliberation.bus.port import Bus
from deliberation.engine.fold import fold
from deliberation.engine.standing import Standing
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task


async def fill(queues: Queues, kubernetes: Kubernetes, namespaces: tuple[str, ...]) -> None:
    """Tell the queues of all Councils and Deliberations, of all namespaces if none are named, and call the roll.

    May be repeated. A cluster that does not have our kinds yet has nobody who waits.

    Raises:
        KubernetesError: the API server refused or was out of reach.
    """
    for namespace in namespaces or (None,):
        try:
            await _fill_from(queues, kubernetes, namespace)
        except NotFoundError:
            continue
    queues.call_roll()


async def open_after_roll_call(queues: Queues, bus: Bus, namespace: str) -> None:
    """Tell the queues who was admitted in a namespace although its status does not say so, and open them there.

    May be repeated. One listing tells of all that are on the bus; only those of them are read that seem to wait.

    Raises:
        BusUnavailableError: the bus was out of reach.
    """
    waiting = queues.list_waiting(namespace)
    present = await bus.list_deliberations(namespace) if waiting else frozenset()
    for uid in present & waiting.keys():
        task = await bus.read_task(namespace, uid)
        if task:
            standing = fold(task, await bus.read_ledger(Run(namespace, uid, task.attempt)))
            note_run(queues, waiting[uid], task, standing)
    queues.open(namespace)


def note_run(queues: Queues, key: Key, task: Task, standing: Standing) -> None:
    """Tell the queues of a run on the bus. One that is suspended has no place: its Deliberation waits like others."""
    if not standing.suspended:
        queues.note_run(key, task.started_at_ms, is_over=standing.verdict is not None)


async def _fill_from(queues: Queues, kubernetes: Kubernetes, namespace: str | None) -> None:
    async for page in kubernetes.list_pages(API_VERSION, "Council", namespace):
        for body in page:
            queues.council_changed(Key("Council", body["metadata"]["namespace"], body["metadata"]["name"]), body)
    async for page in kubernetes.list_pages(API_VERSION, "Deliberation", namespace):
        for body in page:
            metadata = body["metadata"]
            queues.deliberation_changed(Key("Deliberation", metadata["namespace"], metadata["name"]), body)
