"""What a batch of Deliberations came to, against the same batch undisturbed; and the table of all. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from demonstration.kubectl import Body, is_true

LARGEST_WAVE = 6
"""Calls that a Panel of three seats can have in flight at a time: two ballots of each."""

COLUMNS = (
    "Fault, at a random moment",
    "may lose",
    "strikes",
    "Deliberations",
    "succeeded",
    "same ranking",
    "entries twice",
    "calls repeated",
    "slowest batch",
)

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
    """

    bodies: Mapping[str, Body]
    ledgers: Mapping[str, Mapping[str, int]]
    seconds: float
    struck: str = ""
    unfinished: int = 0


@dataclass(frozen=True)
class Findings:
    """What is wrong with a batch, in words; nothing when it is as it must be."""

    faults: tuple[str, ...] = ()
    repeated: int = 0
    most_repeated: int = 0


def ranking_of(body: Body) -> Ranking:
    """Return what must not depend on what was killed: every proposal with its rank, seat, text and score."""
    status = body["status"]
    return tuple(
        (one["rank"], one["seat"], one["sha256"], one.get("scoreMilli")) for one in status.get("proposals", ())
    )


def judge(batch: Batch, undisturbed: Batch) -> Findings:
    """Compare a batch with the undisturbed one of the same seeds."""
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
        if repeated[-1] > LARGEST_WAVE:
            faults.append(f"{name} repeated {repeated[-1]} calls")
        twice = sorted(place for place, count in batch.ledgers.get(name, {}).items() if count != 1)
        if twice:
            faults.append(f"{name} has {', '.join(twice)} twice in its ledger")
        if batch.ledgers and not batch.ledgers.get(name):
            faults.append(f"{name} has no ledger")
    faults += [f"{name} is missing" for name in sorted(undisturbed.bodies.keys() - batch.bodies.keys())]
    return Findings(tuple(faults), sum(repeated), max(repeated, default=0))


@dataclass
class Campaign:
    """All batches so far, in the order in which they ran."""

    undisturbed: Batch
    seed: int
    batches: list[Batch] = field(default_factory=list)

    def tabulate(self, what: Mapping[str, tuple[str, str]]) -> str:
        """Return the page: one row for each kind of fault. `what` tells, by name, its words and what it may cost."""
        lines = [
            f"| {' | '.join(COLUMNS)} |",
            f"|{'---|' * len(COLUMNS)}",
        ]
        for name in dict.fromkeys(batch.struck for batch in self.batches):
            struck = [batch for batch in self.batches if batch.struck == name]
            lines.append(self._row(what[name], struck))
        return "\n".join(lines)

    def _row(self, words: tuple[str, str], batches: Sequence[Batch]) -> str:
        asked = sum(len(batch.bodies) for batch in batches)
        ended = sum(is_true(body, "Succeeded") for batch in batches for body in batch.bodies.values())
        same = sum(
            ranking_of(body) == ranking_of(self.undisturbed.bodies[name])
            for batch in batches
            for name, body in batch.bodies.items()
        )
        twice = sum(count > 1 for batch in batches for places in batch.ledgers.values() for count in places.values())
        repeated = sum(judge(batch, self.undisturbed).repeated for batch in batches)
        slowest = max(batch.seconds for batch in batches)
        cells = (*words, len(batches), asked, ended, same, twice, repeated, f"{slowest:.0f} s")
        return f"| {' | '.join(map(str, cells))} |"
