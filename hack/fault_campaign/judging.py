"""What a batch of Deliberations came to, against the same batch undisturbed; and the table of all. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from demonstration.kubectl import Body, is_true

COLUMNS = (
    "Fault, at a random moment",
    "may lose",
    "strikes",
    "Deliberations",
    "succeeded",
    "same ranking",
    "entries twice",
    "asked again",
    "answered again",
    "slowest batch",
)

ATTEMPTS = "attempts"
"""The last column, where each Deliberation has a runner of its own."""

Ranking = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Batch:
    """How one batch ended.

    Attributes:
        bodies: the finished Deliberations by name without the batch's prefix.
        ledgers: number of ledger messages by Deliberation and place.
        seconds: from the first apply to the last end.
        struck: the fault, as the table calls it; empty for none.
        unfinished: how many had not ended when the fault struck.
        calls: how many calls the model answered; None when it was killed, and forgot.
        attempts: the number of the last RayJob, by Deliberation, where each has a runner of its own.
    """

    bodies: Mapping[str, Body]
    ledgers: Mapping[str, Mapping[str, int]]
    seconds: float
    struck: str = ""
    unfinished: int = 0
    calls: int | None = None
    attempts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Bound:
    """How many calls of one Deliberation a fault may have asked for again, and answered again, in so many attempts.

    There are no attempts to count where Deliberations share a runner.
    """

    asked: int
    answered: int
    attempts: int = 0


@dataclass(frozen=True)
class Findings:
    """What became of a batch.

    Attributes:
        faults: what is wrong with it, in words; nothing when it is as it must be.
        repeated: calls that were asked for again, by the ledgers.
        answered_again: calls that the model answered beyond those that were needed; None when it forgot.
        attempts: those that the statuses count; 0 where Deliberations share a runner.
    """

    faults: tuple[str, ...] = ()
    repeated: int = 0
    answered_again: int | None = None
    attempts: int = 0


def ranking_of(body: Body) -> Ranking:
    """Return what must not depend on what was killed: every proposal with its rank, seat, text and score."""
    status = body["status"]
    return tuple(
        (one["rank"], one["seat"], one["sha256"], one.get("scoreMilli")) for one in status.get("proposals", ())
    )


def attempts_of(body: Body) -> int:
    """Return how many RayJobs of its own a Deliberation had, as its status tells."""
    return int(body["status"].get("runner", {}).get("attempt", 0))


def judge(batch: Batch, undisturbed: Batch, bound: Bound) -> Findings:
    """Compare a batch with the undisturbed one of the same seeds.

    Each Deliberation may repeat as many calls as `bound` says: those that can be in flight where the fault strikes.
    """
    most = bound.answered * len(batch.bodies)
    faults: list[str] = []
    repeated = []
    for name, body in sorted(batch.bodies.items()):
        usage = body["status"].get("usage", {})
        repeated.append(usage.get("repeatedCalls", 0))
        if not is_true(body, "Succeeded"):
            reason = next((c["reason"] for c in body["status"]["conditions"] if c["type"] == "Succeeded"), "unknown")
            faults.append(f"{name} ended as {reason}")
        elif ranking_of(body) != ranking_of(undisturbed.bodies[name]):
            faults.append(f"{name} has another ranking")
        if repeated[-1] > bound.asked:
            faults.append(f"{name} repeated {repeated[-1]} calls, with at most {bound.asked} in flight")
        twice = sorted(place for place, count in batch.ledgers.get(name, {}).items() if count != 1)
        if twice:
            faults.append(f"{name} has {', '.join(twice)} twice in its ledger")
        if batch.ledgers and not batch.ledgers.get(name):
            faults.append(f"{name} has no ledger")
        faults += _find_miscount(name, attempts_of(body), batch.attempts.get(name, 0), bound.attempts)
    faults += [f"{name} is missing" for name in sorted(undisturbed.bodies.keys() - batch.bodies.keys())]
    if batch.struck and not batch.unfinished:
        faults.append("all had ended before it was struck")
    again = _count_again(batch.calls, undisturbed.calls)
    if again is not None and again > most:
        faults.append(f"the model answered {again} calls again, with at most {most} in flight")
    return Findings(tuple(faults), sum(repeated), again, sum(map(attempts_of, batch.bodies.values())))


def _find_miscount(name: str, counted: int, last: int, most: int) -> Iterator[str]:
    """Yield what is wrong with the attempts that a status counts, when the last RayJob has that number."""
    if counted != last:
        yield f"{name} counts {counted} attempts, and its last RayJob was number {last}"
    if bool(counted) != bool(most) or counted > most:
        yield f"{name} took {counted} attempts, with at most {most} to be expected"


def _count_again(calls: int | None, needed: int | None) -> int | None:
    """Return how many calls more than needed were answered; None when the model does not know."""
    if calls is None or needed is None or calls < needed:
        return None
    return calls - needed


@dataclass
class Campaign:
    """All batches so far, in the order in which they ran. `bounds` hold, by fault, what it may cost."""

    undisturbed: Batch
    seed: int
    bounds: Mapping[str, Bound]
    batches: list[Batch] = field(default_factory=list)

    def judge(self, batch: Batch) -> Findings:
        """Return what became of one of the batches."""
        return judge(batch, self.undisturbed, self.bounds[batch.struck])

    def list_faults(self) -> list[str]:
        """Return what is wrong with any batch."""
        return [f"{batch.struck}: {fault}" for batch in self.batches for fault in self.judge(batch).faults]

    def tabulate(self, what: Mapping[str, tuple[str, str]]) -> str:
        """Return the table: one row for each kind of fault. `what` tells, by name, its words and what it may cost."""
        columns = (*COLUMNS, ATTEMPTS) if self._counts_attempts else COLUMNS
        lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
        for name in dict.fromkeys(batch.struck for batch in self.batches):
            struck = [batch for batch in self.batches if batch.struck == name]
            lines.append(self._row(what[name], struck))
        return "\n".join(lines)

    @property
    def _counts_attempts(self) -> bool:
        return any(bound.attempts for bound in self.bounds.values())

    def _row(self, words: tuple[str, str], batches: Sequence[Batch]) -> str:
        asked = sum(len(batch.bodies) for batch in batches)
        ended = sum(is_true(body, "Succeeded") for batch in batches for body in batch.bodies.values())
        same = sum(
            ranking_of(body) == ranking_of(self.undisturbed.bodies[name])
            for batch in batches
            for name, body in batch.bodies.items()
        )
        twice = sum(count > 1 for batch in batches for places in batch.ledgers.values() for count in places.values())
        found = [self.judge(batch) for batch in batches]
        repeated = sum(one.repeated for one in found)
        counted = [one.answered_again for one in found if one.answered_again is not None]
        again = sum(counted) if len(counted) == len(found) else "not known"
        slowest = max(batch.seconds for batch in batches)
        cells = (*words, len(batches), asked, ended, same, twice, repeated, again, f"{slowest:.0f} s")
        attempts = (sum(one.attempts for one in found),) if self._counts_attempts else ()
        return f"| {' | '.join(map(str, (*cells, *attempts)))} |"
