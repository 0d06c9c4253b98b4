"""How long a Deliberation waits for its Council: without limit until there is one, then inside its timeout.

A Council that does not exist yet is no fault: manifests may be applied in any order. One that exists, and sleeps or
does not come up, takes from the time that the question has. Waiting for others, or for a user's word, does not.
"""

from typing import Any

from council_operator.plan import health
from council_operator.plan.conditions import find_condition
from council_operator.plan.observed import DeliberationObserved
from deliberation.api.v1alpha1.deliberation import DEFAULT_TIMEOUT_SECONDS
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.protocol.entries import Suspend

Body = dict[str, Any]


def is_suspended(deliberation: Body) -> bool:
    """Return whether its user wants a Deliberation, or a Council, to do nothing for now."""
    return bool(deliberation["spec"].get("suspend"))


def is_council_ready(council: Body | None) -> bool:
    """Return whether a Council says of its present spec that it can take questions now; one that sleeps is woken."""
    if council is None or health.is_being_deleted(council):
        return False
    ready = find_condition(council, "Ready")
    return (
        ready.get("status") == "True"
        and ready.get("reason") != Reason.ASLEEP
        and ready.get("observedGeneration") == council["metadata"].get("generation")
    )


def was_admitted(deliberation: Body) -> bool:
    """Return whether a Deliberation was admitted once, even if the bus has lost its task: its status tells."""
    return bool(deliberation.get("status", {}).get("council"))


def count_suspensions(observed: DeliberationObserved) -> int:
    """Return how often the run was suspended, as its ledger tells."""
    entries = [record.entry for record in observed.ledger]
    stopped = observed.task.resumed if observed.task and observed.standing and observed.standing.suspended else -1
    return 1 + max((entry.number for entry in entries if isinstance(entry, Suspend)), default=stopped)


def find_start_ms(observed: DeliberationObserved) -> int | None:
    """Return when the timeout began, as the status remembers it; None when it has not.

    It begins when the Council is first waited for, or at admission, and not anew when the bus loses the task. A run
    that goes on after a suspension has its whole time again.
    """
    start = observed.body.get("status", {}).get("startTime")
    if not start or any(isinstance(record.entry, Suspend) for record in observed.ledger):
        return None
    return health.parse_time_ms(start)


def waited_ms(observed: DeliberationObserved) -> int:
    """Return how much of the timeout is spent, in milliseconds, by a Deliberation that has no run now."""
    start_ms = find_start_ms(observed)
    return 0 if start_ms is None else max(observed.now_ms - start_ms, 0)


def timeout_seconds(observed: DeliberationObserved) -> int:
    """Return the timeout that the spec declares."""
    seconds: int = observed.body["spec"].get("timeoutSeconds", DEFAULT_TIMEOUT_SECONDS)
    return seconds


def seconds_left(observed: DeliberationObserved) -> float:
    """Return how long a Deliberation may still wait for its Council, in seconds; its whole timeout at first."""
    return timeout_seconds(observed) - waited_ms(observed) / 1000


def is_charged(observed: DeliberationObserved) -> bool:
    """Return whether a Deliberation waits for its Council alone, so that the waiting takes from its timeout.

    It does not while the queue has not taken it in, while either is suspended, or when a run of it was suspended: what
    that one has in its ledger would be lost.
    """
    council = observed.council
    if observed.task is not None or observed.bus_fault is not None or council is None:
        return False
    is_held = is_suspended(observed.body) or is_suspended(council)
    return observed.turn.is_decided and not is_held and not is_council_ready(council)


def has_waited_too_long(observed: DeliberationObserved) -> bool:
    """Return whether the timeout has passed before the Deliberation became a task; it never becomes one then.

    Of a Council that has become ready too late, one that has its turn is out of time too. One that waits for its turn
    is not.
    """
    if seconds_left(observed) > 0 or was_admitted(observed.body):
        return False
    is_late = observed.task is None and observed.turn.is_decided and observed.turn.is_next
    has_turn = is_late and is_council_ready(observed.council) and not is_suspended(observed.body)
    return is_charged(observed) or (has_turn and observed.bus_fault is None)
