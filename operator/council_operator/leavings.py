"""Clears away what Deliberations that are gone have left on the bus, also those that went while nobody watched."""

from collections.abc import Callable, Mapping

from council_operator.apply.actions import send
from council_operator.kube.port import Kubernetes
from council_operator.loops import Again, Key, Settled
from council_operator.plan.actions import ObjectReference
from council_operator.plan.leavings import clear
from council_operator.wakes import key_of_leavings
from deliberation.api.v1alpha1.base import API_VERSION
from deliberation.bus.port import Bus
from deliberation.engine.fold import fold
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task

SWEEP_SECONDS = 3600.0


class Leavings:
    """Looks at what is left, one Deliberation at a time.

    `list_known` returns the uids of all Deliberations that are there, by namespace, also for namespaces without any.
    """

    def __init__(
        self,
        kubernetes: Kubernetes,
        bus: Bus,
        wake: Callable[[Key], None],
        list_known: Callable[[], Mapping[str, frozenset[str]]],
        monotonic: Callable[[], float],
    ) -> None:
        self._kubernetes = kubernetes
        self._bus = bus
        self._wake = wake
        self._list_known = list_known
        self._monotonic = monotonic
        self._since: dict[Key, float] = {}

    async def look(self, key: Key) -> Again | Settled:
        """Bring one that is gone a step nearer to having left nothing.

        Raises:
            KubernetesError: the API server refused or was out of reach.
            BusUnavailableError: the bus was out of reach.
        """
        namespace, uid = key.namespace, key.name
        task = await self._bus.read_task(namespace, uid)
        if task and await self._is_there(task):
            return Settled()
        run = Run(namespace, uid, task.attempt if task else 1)
        standing = fold(task, await self._bus.read_ledger(run)) if task else None
        seconds = self._monotonic() - self._since.setdefault(key, self._monotonic())
        clearing = clear(run, task, standing, seconds)
        for message in clearing.messages:
            await send(message, self._bus)
        if clearing.look_again_after is not None:
            return Again(clearing.look_again_after)
        del self._since[key]
        return Settled()

    async def sweep(self) -> Again:
        """Have a look at every Deliberation that is on the bus and was not seen in the cluster.

        Raises:
            BusUnavailableError: the bus was out of reach.
        """
        for namespace, known in self._list_known().items():
            for uid in await self._bus.list_deliberations(namespace) - known:
                self._wake(key_of_leavings(namespace, uid))
        return Again(SWEEP_SECONDS)

    async def _is_there(self, task: Task) -> bool:
        """Return whether the task's Deliberation exists; another one of its name is not that one."""
        reference = ObjectReference(API_VERSION, "Deliberation", task.namespace, task.deliberation_name)
        body = await self._kubernetes.find(reference)
        return body is not None and body["metadata"]["uid"] == task.deliberation_uid
