"""Observe, plan, apply, summarise: one pass over one object, the same for every kind."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from council_operator.apply.actions import carry_out
from council_operator.apply.status import write_status
from council_operator.kube.port import ConflictError, InvalidError, Kubernetes, KubernetesError
from council_operator.loops import Again, Key, Settled
from council_operator.plan.actions import Apply, EmitEvent, Plan
from council_operator.telemetry import RECONCILE_SECONDS, RECONCILES
from deliberation.bus.port import Bus, BusUnavailableError

logger = logging.getLogger(__name__)

AFTER_ACTING_SECONDS = 0.05
RESYNC_SECONDS = 60.0

Body = dict[str, Any]


class Observed(Protocol):
    """What every observation has."""

    @property
    def body(self) -> Body:
        """Return the reconciled object itself."""
        ...


O = TypeVar("O", bound=Observed)  # noqa: E741 - an Observed of one kind


@dataclass(frozen=True)
class Steps(Generic[O]):
    """The four steps of one kind; applying is the same for all.

    Attributes:
        observe: is given what the same pass observed before it acted, if it did: what that cannot have changed need
            not be read again.
        note_refusals: adds to an observation what the API server found wrong with applied children, by name; without
            it such a refusal is an error like any other.
        measure: is told of what was reported anew.
    """

    observe: Callable[[Key, O | None], Awaitable[O | None]]
    plan: Callable[[O], Plan]
    summarise: Callable[[O], Body]
    is_settled: Callable[[O], bool]
    note_refusals: Callable[[O, dict[str, str]], O] | None = None
    measure: Callable[[O], None] = lambda _observed: None


class Reconciler:
    """Runs the steps of whichever kind a key names, and is the only place that turns errors into retries.

    `put_aside` is told of an object whose pass failed for a reason of its own: nobody may have to wait for that one.
    """

    def __init__(
        self,
        steps: Mapping[str, Steps[Any]],
        kubernetes: Kubernetes,
        bus: Bus,
        put_aside: Callable[[Key], None] = lambda _key: None,
    ) -> None:
        self._steps = steps
        self._put_aside = put_aside
        self._kubernetes = kubernetes
        self._bus = bus

    async def reconcile(self, key: Key) -> Again | Settled:
        """Bring one object a step nearer to what its spec asks for.

        Raises:
            KubernetesError: the API server refused or was out of reach.
            BusUnavailableError: the bus was out of reach in the middle of the plan.
        """
        with RECONCILE_SECONDS.labels(key.kind).time():
            outcome = await self._pass(key)
        RECONCILES.labels(key.kind, "ok").inc()
        return outcome

    async def report(self, key: Key, error: Exception, failures: int) -> None:
        """Say that a pass failed: in the log and the metrics, and after three failures in a row in an Event."""
        expected = isinstance(error, KubernetesError | BusUnavailableError)
        RECONCILES.labels(key.kind, "conflict" if isinstance(error, ConflictError) else "error").inc()
        if not expected or isinstance(error, InvalidError):
            self._put_aside(key)
        level = logging.WARNING if expected else logging.ERROR
        text = "%s %s/%s: pass failed, %d in a row: %s"
        logger.log(
            level, text, key.kind, key.namespace, key.name, failures, error, exc_info=None if expected else error
        )
        third_in_a_row = 3
        if failures == third_in_a_row:
            observed = await self._steps[key.kind].observe(key, None)
            if observed is not None:
                what = str(error) if expected else f"{type(error).__name__}, see the operator's log"
                message = f"Reconciling failed {failures} times and goes on: {what}"
                event = EmitEvent("Warning", "ReconcileFailed", message)
                await carry_out(event, observed.body, self._kubernetes, self._bus)

    async def _pass(self, key: Key) -> Again | Settled:
        steps = self._steps[key.kind]
        observed = await steps.observe(key, None)
        if observed is None:
            return Settled()
        plan = steps.plan(observed)
        refusals = await self._carry_out(plan, observed.body, tolerant=steps.note_refusals is not None)
        if plan.actions:
            observed = await steps.observe(key, observed)
            if observed is None:
                return Settled()
        if refusals and steps.note_refusals:
            observed = steps.note_refusals(observed, refusals)
        status = steps.summarise(observed)
        if await write_status(observed.body, status, self._kubernetes):
            _log_transition(key, observed.body.get("status", {}), status)
            steps.measure(observed)
        if steps.is_settled(observed):
            return Settled()
        soon = AFTER_ACTING_SECONDS if plan.actions else RESYNC_SECONDS
        after = soon if plan.look_again_after is None else plan.look_again_after
        return Again(after, acted=bool(plan.actions))

    async def _carry_out(self, plan: Plan, subject: Body, *, tolerant: bool) -> dict[str, str]:
        """Carry a plan out; return what the API server said, by name, of children that it would never take."""
        refusals: dict[str, str] = {}
        for action in plan.actions:
            try:
                await carry_out(action, subject, self._kubernetes, self._bus)
            except InvalidError as error:
                if not tolerant or not isinstance(action, Apply):
                    raise
                refusals[action.body["metadata"]["name"]] = error.message
        return refusals


def _log_transition(key: Key, before: Body, after: Body) -> None:
    """Log what changed for people: the phase, or how ready the object is and why. Reasons are ours, never user text."""
    old, new = _headline(before), _headline(after)
    if old != new:
        logger.info("%s %s/%s: %s -> %s", key.kind, key.namespace, key.name, old, new)


def _headline(status: Body) -> str:
    ready = next((item for item in status.get("conditions", ()) if item["type"] == "Ready"), None)
    readiness = f"Ready={ready['status']} ({ready['reason']})" if ready else "new"
    return " ".join(part for part in (status.get("phase", ""), readiness) if part)
