"""A local run from its manifests to the statuses: what a cluster would bring, brought up, used and taken down."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from council_operator.plan.roster import build_roster
from council_operator.plan.settings import Images, RenderSettings
from council_operator.status.conditions import Finding, merge
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.bus.port import Bus
from deliberation.local.bus import USER, LocalBus, open_bus
from deliberation.local.manifests import NAMESPACE, Manifests
from deliberation.local.models import SimulatedServers, map_models, serving
from deliberation.local.operator import Finished, LocalOperator
from deliberation.local.options import BusChoice, Options
from deliberation.local.seats import open_seats
from deliberation.models.client import ChatClient
from deliberation.protocol.health import ProbeRequest
from deliberation.runner.clock import Clock, SystemClock
from deliberation.runner.desk import Desk, Hosts
from deliberation.runner.health import Probes
from deliberation.runner.settings import MAX_CONCURRENT_BOUND, Settings

Body = dict[str, Any]

RENDER = RenderSettings(
    images=Images(operator="local", runner="local", vllm="local", vllm_cpu="local"),
    bus_url="",
    bus_user=USER,
    bus_password="",
    derivation_key=b"",
)
"""In place of the administrator's settings: what is rendered is only told apart by them, never applied."""


@dataclass(frozen=True)
class LocalRun:
    """What came of a run.

    Attributes:
        finished: the Deliberations at their end, in the order of the manifests.
        bus: what carried the ledgers, for people.
        served: what the simulated models counted, as their `/stats` does.
    """

    finished: tuple[Finished, ...]
    bus: str
    served: Counter[str]

    @property
    def has_succeeded(self) -> bool:
        """Return whether every Deliberation has a result."""
        return all(finished.has_succeeded for finished in self.finished)


async def run(
    manifests: Manifests,
    options: Options | None = None,
    *,
    tell: Callable[[Body], None] = lambda _deliberation: None,
    cancel: asyncio.Event | None = None,
    clock: Clock | None = None,
) -> LocalRun:
    """Answer the Deliberations of the manifests without a cluster, and return what came of each.

    Args:
        manifests: valid ones, as `read_manifests` returns them.
        options: how to run.
        tell: called with a Deliberation whenever its status has changed.
        cancel: cancels every Deliberation when it is set; what there is, is kept.
        clock: tells the time; the machine's by default.

    Raises:
        BadInputError: a model has no server here, or something that the options ask for is not installed.
        BusUnavailableError: the bus went away.
    """
    async with open_premises(manifests, options or Options(), clock or SystemClock()) as premises:
        operator = LocalOperator(premises.bus, premises.servers, RENDER, premises.clock, tell)
        await premises.bus.watch_ledger(operator.ledger_grew)
        background = [asyncio.create_task(desk.run()) for desk in await premises.open_desks()]
        if cancel is not None:
            background.append(asyncio.create_task(_cancel_when(cancel, operator)))
        try:
            finished = await premises.see_through(operator)
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
        return LocalRun(finished, premises.local_bus.description, premises.servers.counts)


async def _cancel_when(cancel: asyncio.Event, operator: LocalOperator) -> None:
    await cancel.wait()
    operator.cancel()


@dataclass(frozen=True)
class Premises:
    """Everything that runs for the length of a run."""

    manifests: Manifests
    servers: SimulatedServers
    local_bus: LocalBus
    seats: Hosts
    probes: Probes
    clock: Clock

    @property
    def bus(self) -> Bus:
        """Return the bus."""
        return self.local_bus.bus

    async def open_desks(self) -> tuple[Desk, ...]:
        """Return a desk for each runner that the Councils declare: like those of a cluster, they share by content."""
        concurrent = {}
        for council in self.manifests.councils:
            roster = build_roster(council, RENDER)
            place = (council["metadata"]["namespace"], roster.runner)
            concurrent[place] = roster.spec.runner.max_concurrent_deliberations
        for namespace, runner in concurrent:
            await self.bus.ensure_task_consumer(namespace, runner)
        return tuple(
            Desk(namespace, runner, self.bus, self.seats, self.clock, number)
            for (namespace, runner), number in concurrent.items()
        )

    async def see_through(self, operator: LocalOperator) -> tuple[Finished, ...]:
        """Return all Deliberations at their end. They run beside each other, and wait for their desk by priority."""
        councils = {council["metadata"]["uid"]: await self._look_at(council) for council in self.manifests.councils}
        tasks: dict[str, asyncio.Task[Finished]] = {}
        async with asyncio.TaskGroup() as group:
            for deliberation in sorted(self.manifests.deliberations, key=lambda body: -body["spec"].get("priority", 0)):
                council = councils[self.manifests.council_of(deliberation)["metadata"]["uid"]]
                tasks[deliberation["metadata"]["uid"]] = group.create_task(operator.see_through(deliberation, council))
        return tuple(tasks[body["metadata"]["uid"]].result() for body in self.manifests.deliberations)

    async def _look_at(self, council: Body) -> Body:
        """Return the Council with a status that tells whether its models answer."""
        models = self.servers.relocate(build_roster(council, RENDER).models, council)
        reply = await self.probes.answer(ProbeRequest(models=models))
        fault = next((result for result in reply.results if result.reason), None)
        ready = (
            Finding("Ready", status=False, reason=fault.reason or "", message=fault.message)
            if fault
            else Finding("Ready", status=True, reason=Reason.READY)
        )
        conditions = merge({}, (ready,), council["metadata"]["generation"], self.clock.now_ms())
        return {**council, "status": {"conditions": [condition.to_json() for condition in conditions]}}


@asynccontextmanager
async def open_premises(manifests: Manifests, options: Options, clock: Clock) -> AsyncIterator[Premises]:
    """Bring up what the manifests need, until the end of the context; nothing of it is left then.

    Raises:
        BadInputError: a model has no server here, or something that the options ask for is not installed.
    """
    manifests, files = map_models(manifests, options)
    choice = BusChoice.NATS if options.on_ray else options.bus
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="council-")))
        settings = Settings(NAMESPACE, "local", "", USER, folder / "secrets", MAX_CONCURRENT_BOUND)
        _write_files(files, folder)
        servers = await stack.enter_async_context(serving(manifests.councils, RENDER))
        local_bus = await stack.enter_async_context(open_bus(choice, settings, folder))
        chat = ChatClient()
        stack.push_async_callback(chat.close)
        settings = replace(settings, bus_url=local_bus.url)
        seats = await stack.enter_async_context(open_seats(local_bus.bus, chat, settings, clock, on_ray=options.on_ray))
        yield Premises(manifests, servers, local_bus, seats, Probes(chat, settings.secrets_dir), clock)


def _write_files(files: Mapping[str, str], folder: Path) -> None:
    """Lay keys and certificates where seats look for them, below a folder that only its owner may read."""
    for place, text in files.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
