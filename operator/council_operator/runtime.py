"""The composition root: puts settings, clocks, Kubernetes, the bus and the loops together, and takes them apart."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import kopf
from aiohttp import web

from council_operator import dividing
from council_operator.apply.trust import write_trust
from council_operator.dividing import Divider
from council_operator.handlers import watch
from council_operator.http import build_application
from council_operator.kube.client import KubernetesClient
from council_operator.kube.port import Kubernetes, KubernetesError
from council_operator.leavings import Leavings
from council_operator.loops import Again, Key, Loops, Settled
from council_operator.observe.council import CouncilObserver
from council_operator.observe.probes import Probes
from council_operator.observe.queues import fill, open_after_roll_call
from council_operator.queues import ROLL_CALL, Queues
from council_operator.reconcile import Reconciler
from council_operator.settings import Settings
from council_operator.steps import build_steps
from council_operator.telemetry import BUS_CONNECTED, OBJECTS
from council_operator.wakes import LEAVINGS, SWEEP, Wakes
from deliberation.bus.jetstream import connect
from deliberation.bus.namespaced import connect_namespaced
from deliberation.bus.port import Bus, BusUnavailableError

logger = logging.getLogger(__name__)

STREAMS_RETRY_SECONDS = 2.0

Look = Callable[[Key], Awaitable[Again | Settled]]


def now_ms() -> int:
    """Return the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass
class Runtime:
    """Everything that runs in the operator's process, between start and stop."""

    kubernetes: KubernetesClient
    bus: Bus
    loops: Loops
    wakes: Wakes
    site: web.AppRunner
    reads_nodes: bool
    background: tuple[asyncio.Task[None], ...]

    @classmethod
    async def start(cls, settings: Settings) -> "Runtime":
        """Connect, and be ready for events. A bus that is down is waited for in the background."""
        kubernetes = await KubernetesClient.connect()
        bus_lost = asyncio.Event()
        bus = await _connect_bus(settings, lambda _state: bus_lost.set())
        loops = Loops()
        wakes = Wakes(loops.wake, time.monotonic, settings.render, loops.wake_soon)
        probes = Probes(bus, time.monotonic)
        council_observer = CouncilObserver(
            kubernetes, bus, wakes, probes, settings.render, now_ms, settings.watch_namespaces
        )
        steps = build_steps(settings.render, kubernetes, bus, council_observer, now_ms)
        reconciler = Reconciler(steps, kubernetes, bus, wakes.queues.put_aside)
        leavings = Leavings(kubernetes, bus, loops.wake, wakes.queues.list_known, time.monotonic)

        async def call_roll(key: Key) -> Settled:
            await open_after_roll_call(wakes.queues, bus, key.namespace)
            return Settled()

        looks: dict[str, Look] = {
            LEAVINGS: leavings.look,
            SWEEP.kind: lambda _key: leavings.sweep(),
            ROLL_CALL: call_roll,
        }
        division = settings.render.gpu_division
        if division is not None:
            divider = Divider(kubernetes, division)
            looks[dividing.KEY.kind] = lambda _key: divider.look()
        _begin(loops, reconciler, looks)
        if division is not None:
            wakes.follow_nodes(dividing.KEY)
        for kind in ("Council", "Deliberation"):
            OBJECTS.labels(kind).set_function(lambda kind=kind: loops.count(kind))  # type: ignore[misc]
        BUS_CONNECTED.set_function(lambda: bus.is_connected)
        site = web.AppRunner(build_application(lambda: True), access_log=None)
        await site.setup()
        await web.TCPSite(site, port=settings.http_port).start()
        logger.info("health and metrics on port %d", settings.http_port)
        await _fill_queues(kubernetes, wakes.queues, settings.watch_namespaces)
        follow = asyncio.create_task(_follow_bus(settings, kubernetes, bus, wakes, bus_lost), name="follow the bus")
        return cls(kubernetes, bus, loops, wakes, site, settings.reads_nodes, (follow,))

    async def stop(self) -> None:
        """End every loop and close every connection."""
        for task in self.background:
            task.cancel()
        await asyncio.gather(*self.background, return_exceptions=True)
        await self.loops.close()
        await self.site.cleanup()
        await self.bus.close()
        await self.kubernetes.close()


async def _fill_queues(kubernetes: KubernetesClient, queues: Queues, namespaces: tuple[str, ...]) -> None:
    """Learn who waits, before the first event: an operator that knew a part only would admit the wrong ones."""
    while True:
        try:
            await fill(queues, kubernetes, namespaces)
        except KubernetesError as error:
            logger.warning("the Deliberations that wait cannot be listed: %s; trying again", error)
            await asyncio.sleep(STREAMS_RETRY_SECONDS)
        else:
            return


def _begin(loops: Loops, reconciler: Reconciler, looks: Mapping[str, Look]) -> None:
    """Begin the loops: of our objects, and, by the kind of their keys, of whatever else needs their back-off."""

    async def reconcile(key: Key) -> Again | Settled:
        return await looks.get(key.kind, reconciler.reconcile)(key)

    async def report(key: Key, error: Exception, failures: int) -> None:
        if key.kind in looks:
            logger.warning("%s %s/%s failed, %d in a row: %s", key.kind, key.namespace, key.name, failures, error)
        else:
            await reconciler.report(key, error, failures)

    loops.begin(reconcile, report)


async def _connect_bus(settings: Settings, on_state: Callable[[str], None]) -> Bus:
    """Return the bus: one of our own, with an account for each namespace, or one that others run."""
    authority, name = settings.render.bus_authority, "council-operator"
    if authority:
        return await connect_namespaced(settings.bus_url, authority, tls=settings.bus_tls, name=name, on_state=on_state)
    return await connect(settings.bus_url, login=settings.bus_login, tls=settings.bus_tls, name=name, on_state=on_state)


async def _make_trusted(settings: Settings, kubernetes: Kubernetes) -> None:
    """Tell a server of our own whom to trust. One that knows already works on, also when that fails."""
    authority, config_map = settings.render.bus_authority, settings.bus_config_map
    if authority and config_map:
        try:
            await write_trust(authority, config_map, kubernetes)
        except KubernetesError as error:
            logger.warning("NATS could not be told whom to trust: %s", error)


async def _follow_bus(
    settings: Settings, kubernetes: Kubernetes, bus: Bus, wakes: Wakes, bus_changed: asyncio.Event
) -> None:
    """Keep the streams there and the subscriptions alive; look at everything whenever the bus comes or goes."""
    subscribed = False
    while True:
        bus_changed.clear()
        await _make_trusted(settings, kubernetes)
        try:
            await bus.ensure_streams(settings.bus_replicas)
            if not subscribed:
                await bus.watch_ledger(wakes.ledger_grew)
                await bus.watch_heartbeats(wakes.runner_beat)
                await bus.lay_exhausted_aside(wakes.task_died)
                subscribed = True
        except BusUnavailableError as error:
            logger.warning("the bus is not available: %s; trying again", error)
            wakes.everything()
            await asyncio.sleep(STREAMS_RETRY_SECONDS)
            continue
        wakes.everything()
        wakes.sweep()
        await bus_changed.wait()


def build_kopf_settings(watch_namespaces: tuple[str, ...]) -> kopf.OperatorSettings:
    """Return Kopf's settings: it watches, endlessly and patiently, and posts and stores nothing.

    An operator of named namespaces may list neither namespaces nor kinds, and Kopf would try to for a minute before it
    began. If KubeRay is installed later, events of its objects come after a restart; until then they are looked at.
    """
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.watching.chunk_size = 500
    settings.scanning.disabled = bool(watch_namespaces)
    return settings


def build_registry(settings: kopf.OperatorSettings, runtime: Runtime) -> kopf.OperatorRegistry:
    """Return the handlers of one runtime."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(kopf.login_with_service_account)
    kopf.on.login(registry=registry)(kopf.login_with_kubeconfig)
    watch.register(registry, settings, runtime.wakes, nodes=runtime.reads_nodes)
    return registry
