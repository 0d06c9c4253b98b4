"""Whose turn it is: in which order Deliberations are admitted, and when a queue is full.

Within a Council, higher `spec.priority` goes first, then who was created first, then the lesser name. Between Councils
that share a runner, a free place goes to the one with the fewest runs in work, then to the one whose last turn is
longest ago. Namespaces share no runner, so none waits for another's queue.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from council_operator.plan import health
from council_operator.plan.conditions import find_condition, has_condition
from council_operator.plan.deliberation import is_finished
from council_operator.plan.roster import find_roster
from council_operator.plan.settings import RenderSettings
from council_operator.plan.waiting import is_council_ready
from deliberation.api.v1alpha1.reasons import Reason

Body = dict[str, Any]

STEPS = tuple(lead * 10**power for power in range(7) for lead in (1, 2, 5))
"""Positions that a status shows; others are rounded up. So one admission changes the statuses of a few, not of all."""


@dataclass(frozen=True, order=True)
class Ticket:
    """Stands for a Deliberation in its Council's line. Tickets sort in the order of admission."""

    precedence: int
    created: str
    name: str


@dataclass(frozen=True)
class Line:
    """The line of one Council.

    Attributes:
        waiting: tickets in their order.
        running: its runs in work.
        last_turn_ms: when its last run was admitted, in milliseconds since the epoch.
    """

    council: str
    waiting: Sequence[Ticket]
    running: int = 0
    last_turn_ms: int = 0


@dataclass(frozen=True)
class Terms:
    """What a Council's spec and status mean to its line.

    Attributes:
        runner: name of the runner; Councils of a namespace that name the same share its places.
        places: most runs that the runner works on at a time.
        max_waiting: most Deliberations that may wait.
        is_open: whether the Council takes questions now.
    """

    runner: str
    places: int
    max_waiting: int
    is_open: bool


class Stand(Enum):
    """Where a Deliberation is, as far as the line is concerned."""

    ASIDE = auto()
    """Finished, on its way out, suspended, or kept back by its own spec: it takes nobody's turn."""
    WAITING = auto()
    ADMITTED = auto()
    """In work, or only its own runner's quota is awaited: it has a place."""


def choose(lines: Iterable[Line], places: int) -> tuple[tuple[str, Ticket], ...]:
    """Return the Council and the ticket of all whose turn it is now, first ones first.

    At most as many as leave no more than `places` runs in work. Depends on nothing but what the lines hold.
    """
    lines = tuple(lines)
    running = {line.council: line.running for line in lines}
    last_turn = {line.council: (line.last_turn_ms, 0) for line in lines}
    heads = {line.council: list(line.waiting[:places]) for line in lines if line.waiting}
    chosen: list[tuple[str, Ticket]] = []
    while heads and sum(running.values()) < places:
        council = min(heads, key=lambda name: (running[name], last_turn[name], heads[name][0].created, name))
        chosen.append((council, heads[council].pop(0)))
        running[council] += 1
        last_turn[council] = (max(turn for turn, _ in last_turn.values()), len(chosen))
        if not heads[council]:
            del heads[council]
    return tuple(chosen)


def show_position(position: int) -> int:
    """Return the position to show for a place in line, 1 being the next: never less than it is."""
    return next((step for step in STEPS if step >= position), position)


def write_ticket(deliberation: Body) -> Ticket:
    """Return the ticket of a Deliberation."""
    metadata = deliberation["metadata"]
    priority: int = deliberation["spec"].get("priority", 0)
    return Ticket(-priority, metadata.get("creationTimestamp", ""), metadata["name"])


def read_terms(council: Body, settings: RenderSettings) -> Terms | None:
    """Return the terms of a Council; None when its spec cannot be carried out."""
    roster = find_roster(council, settings)
    if roster is None:
        return None
    return Terms(
        runner=roster.runner,
        places=roster.spec.runner.max_concurrent_deliberations,
        max_waiting=roster.spec.limits.max_queued,
        is_open=is_council_ready(council),
    )


def read_stand(deliberation: Body) -> Stand:
    """Return where a Deliberation stands, from what its own spec and status say."""
    if is_finished(deliberation) or health.is_being_deleted(deliberation):
        return Stand.ASIDE
    admitted = find_condition(deliberation, "Admitted")
    if admitted.get("status") == "True":
        return Stand.ADMITTED
    spec = deliberation["spec"]
    reason = admitted.get("reason")
    if spec.get("cancel") or spec.get("suspend") or reason == Reason.INVALID_SPEC:
        return Stand.ASIDE
    return Stand.ADMITTED if reason == Reason.RUNNER_SUSPENDED else Stand.WAITING


def was_looked_at(deliberation: Body) -> bool:
    """Return whether the operator has reported on a Deliberation before: such a one is never refused for its number."""
    return bool(deliberation.get("status", {}).get("conditions"))


def admitted_ms(deliberation: Body) -> int:
    """Return when the time of an admitted Deliberation began, in milliseconds since the epoch; 0 before admission.

    Who waits for a sleeping Council has a start, and has had no turn.
    """
    start = deliberation.get("status", {}).get("startTime")
    is_admitted = has_condition(deliberation, "Admitted")
    return health.parse_time_ms(start) if start and is_admitted else 0
