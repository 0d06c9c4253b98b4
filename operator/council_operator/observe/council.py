"""Reads the world around one Council."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from council_operator.kube.port import Body, ForbiddenError, Kubernetes, NotFoundError
from council_operator.loops import Key
from council_operator.observe.probes import Probes
from council_operator.plan.actions import ObjectReference
from council_operator.plan.gpu import asks_for_gpu
from council_operator.plan.idle import may_sleep
from council_operator.plan.observed import BusFault, CouncilObserved, GpuObserved
from council_operator.plan.replicas import may_have_replicas
from council_operator.plan.roster import find_roster
from council_operator.plan.settings import RenderSettings
from council_operator.render.labels import MANAGED_BY_SELECTOR
from council_operator.render.servers import MODELS_SELECTOR, POLICY_API
from council_operator.wakes import Wakes
from deliberation.api.v1alpha1.base import API_VERSION
from deliberation.bus.port import Bus


@dataclass(frozen=True)
class CouncilObserver:
    """Reads the cluster, the bus and the last heartbeats. `namespaces` empty means that all are served."""

    kubernetes: Kubernetes
    bus: Bus
    wakes: Wakes
    probes: Probes
    settings: RenderSettings
    now_ms: Callable[[], int]
    namespaces: tuple[str, ...] = ()

    async def observe(self, key: Key, before: CouncilObserved | None = None) -> CouncilObserved | None:
        """Return what is known of a Council, or None when it is gone.

        `before` is what the same pass observed before it acted, which changes all but the Council itself.

        Raises:
            KubernetesError: the API server refused or was out of reach.
        """
        reference = ObjectReference(API_VERSION, "Council", key.namespace, key.name)
        body = before.body if before else await self.kubernetes.find(reference)
        if body is None:
            return None
        ray_jobs, kuberay_installed = await self._ray_jobs(key.namespace)
        roster = find_roster(body, self.settings)
        runner, models = (roster.runner, roster.models) if roster else ("", ())
        gpu = await self._gpu() if asks_for_gpu(body) else None
        neighbours = gpu.councils if gpu else await self._neighbours(body)
        heartbeat, age = self.wakes.heartbeat_of(key.namespace, runner)
        return CouncilObserved(
            body=body,
            deployments=_by_name(await self._children("apps/v1", "Deployment", key.namespace)),
            services=_by_name(await self._children("v1", "Service", key.namespace)),
            disruption_budgets=_by_name(await self._children(POLICY_API, "PodDisruptionBudget", key.namespace)),
            ray_jobs=ray_jobs,
            pods=tuple(await self._children("v1", "Pod", key.namespace)),
            kuberay_installed=kuberay_installed,
            bus_fault=None if self.bus.is_connected else BusFault("not connected to NATS"),
            heartbeat=heartbeat,
            heartbeat_age_seconds=age,
            listening_seconds=self.wakes.listening_seconds,
            probes=await self.probes.ask(key.namespace, runner, models, age),
            phases=self.wakes.phases_of(key),
            runs=self.wakes.queues.runs_of(key),
            gpu=gpu,
            neighbours=neighbours,
            activity={_name_of(council): self.wakes.activity_of(_key_of(council)) for council in neighbours},
            now_ms=self.now_ms(),
        )

    async def _gpu(self) -> GpuObserved:
        """Read everything that shares GPUs with a Council, which is why only Councils with GPUs pay for it."""
        return GpuObserved(
            nodes=await self._nodes(),
            councils=await self._everywhere(API_VERSION, "Council", ""),
            deployments=await self._everywhere("apps/v1", "Deployment", MODELS_SELECTOR),
            pods=await self._everywhere("v1", "Pod", MODELS_SELECTOR),
        )

    async def _neighbours(self, body: Body) -> tuple[Body, ...]:
        """Read who may share servers with a Council, where that decides whether they sleep, and how many there are."""
        if not (may_sleep(body) or may_have_replicas(body)):
            return ()
        return tuple(await self.kubernetes.list_labelled(API_VERSION, "Council", body["metadata"]["namespace"], ""))

    async def _nodes(self) -> tuple[Body, ...] | None:
        try:
            return tuple(await self.kubernetes.list_everywhere("v1", "Node", ""))
        except ForbiddenError:
            return None

    async def _everywhere(self, api_version: str, kind: str, selector: str) -> tuple[Body, ...]:
        """List a kind in all namespaces that the operator serves."""
        if not self.namespaces:
            return tuple(await self.kubernetes.list_everywhere(api_version, kind, selector))
        listed = [await self.kubernetes.list_labelled(api_version, kind, each, selector) for each in self.namespaces]
        return tuple(itertools.chain.from_iterable(listed))

    async def _children(self, api_version: str, kind: str, namespace: str) -> Sequence[Body]:
        return await self.kubernetes.list_labelled(api_version, kind, namespace, MANAGED_BY_SELECTOR)

    async def _ray_jobs(self, namespace: str) -> tuple[dict[str, Body], bool]:
        try:
            return _by_name(await self._children("ray.io/v1", "RayJob", namespace)), True
        except NotFoundError:
            return {}, False


def _name_of(council: Body) -> tuple[str, str]:
    return council["metadata"]["namespace"], council["metadata"]["name"]


def _key_of(council: Body) -> Key:
    return Key("Council", *_name_of(council))


def _by_name(bodies: Sequence[Body]) -> dict[str, Body]:
    return {body["metadata"]["name"]: body for body in bodies}
