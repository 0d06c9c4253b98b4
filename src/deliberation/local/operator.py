"""The operator of a local run: the real one's plan and summary of a Deliberation, around a bus instead of a cluster."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from council_operator.plan.actions import Action, PublishEntry, PublishTask
from council_operator.plan.deliberation import is_settled, plan
from council_operator.plan.observed import DeliberationObserved
from council_operator.plan.settings import RenderSettings
from council_operator.plan.waiting import is_council_ready
from council_operator.status.deliberation import summarise
from deliberation.bus.port import Bus
from deliberation.local.models import SimulatedServers
from deliberation.protocol.entries import LedgerRecord
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task
from deliberation.runner.clock import Clock

Body = dict[str, Any]

LONGEST_LOOK_SECONDS = 60.0


@dataclass(frozen=True)
class Finished:
    """One Deliberation at its end: the object with its status, and what the status was made of."""

    body: Body
    task: Task | None = None
    ledger: tuple[LedgerRecord, ...] = ()

    @property
    def name(self) -> str:
        """Return the Deliberation's name."""
        return str(self.body["metadata"]["name"])

    @property
    def status(self) -> Body:
        """Return the status."""
        status: Body = self.body["status"]
        return status

    @property
    def has_succeeded(self) -> bool:
        """Return whether there is a result."""
        return bool(self.status["phase"] == "Succeeded")


class LocalOperator:
    """Sees Deliberations through, each to its last status.

    Args:
        tell: called with the object whenever its status has changed.
    """

    def __init__(
        self, bus: Bus, servers: SimulatedServers, settings: RenderSettings, clock: Clock, tell: Callable[[Body], None]
    ) -> None:
        self._bus = bus
        self._servers = servers
        self._settings = settings
        self._clock = clock
        self._tell = tell
        self._is_cancelled = False
        self._changes: dict[str, asyncio.Event] = {}

    def ledger_grew(self, run: Run, key: str) -> None:
        """Look at a Deliberation again, because its ledger has a new entry."""
        del key
        if run.deliberation_uid in self._changes:
            self._changes[run.deliberation_uid].set()

    def cancel(self) -> None:
        """Cancel every Deliberation, as its user would: what there is, is kept."""
        self._is_cancelled = True
        for change in self._changes.values():
            change.set()

    async def see_through(self, deliberation: Body, council: Body) -> Finished:
        """Return the Deliberation at its end. One whose Council is not ready ends at once: nobody will mend it.

        Raises:
            BusUnavailableError: the bus went away.
        """
        changed = self._changes.setdefault(deliberation["metadata"]["uid"], asyncio.Event())
        while True:
            changed.clear()
            if self._is_cancelled:
                deliberation = _cancel(deliberation)
            observed = await self._observe(deliberation, council)
            planned = plan(observed, self._settings)
            for action in planned.actions:
                await self._carry_out(action, council)
            if planned.actions:
                observed = await self._observe(deliberation, council)
            status = summarise(observed)
            if status != deliberation.get("status"):
                deliberation = {**deliberation, "status": status}
                self._tell(deliberation)
            if is_settled(observed) or (observed.task is None and not is_council_ready(council)):
                return Finished(deliberation, observed.task, observed.ledger)
            await self._wait(changed, planned.look_again_after or LONGEST_LOOK_SECONDS)

    async def _observe(self, deliberation: Body, council: Body) -> DeliberationObserved:
        metadata = deliberation["metadata"]
        task = await self._bus.read_task(metadata["namespace"], metadata["uid"])
        run = Run(metadata["namespace"], metadata["uid"], task.attempt if task else 1)
        ledger = await self._bus.read_ledger(run) if task else ()
        return DeliberationObserved(deliberation, council, task, ledger, now_ms=self._clock.now_ms())

    async def _carry_out(self, action: Action, council: Body) -> None:
        """Do what concerns the bus; Events are for objects of a cluster."""
        match action:
            case PublishTask(run, runner, task):
                models = self._servers.relocate(task.models, council)
                await self._bus.publish_task(run, runner, task.model_copy(update={"models": models}))
            case PublishEntry(run, entry):
                await self._bus.publish_entry(run, entry)
            case _:
                pass

    async def _wait(self, changed: asyncio.Event, seconds: float) -> None:
        timer = self._clock.call_at(self._clock.now_ms() + round(seconds * 1000), changed.set)
        try:
            await changed.wait()
        finally:
            timer.cancel()


def _cancel(deliberation: Body) -> Body:
    """Return the object as it is after its user has cancelled it; a change of the spec is a new generation."""
    if deliberation["spec"].get("cancel"):
        return deliberation
    metadata = {**deliberation["metadata"], "generation": deliberation["metadata"]["generation"] + 1}
    return {**deliberation, "metadata": metadata, "spec": {**deliberation["spec"], "cancel": True}}
