"""What to do next. `step` is asked again after every new record, and when its `Work` has run out of time."""

from collections.abc import Iterator
from dataclasses import dataclass

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine.asks import Ask
from deliberation.engine.standing import Standing
from deliberation.protocol.messages import (
    Abstention,
    LedgerEntry,
    Outcome,
    ResolvedStrategy,
    Stage,
    Task,
    Verdict,
    entry_key,
)

PROPOSE_SHARE_PERCENT = 60
"""A Panel that has its quorum stops waiting for proposals after this share of the timeout: judging needs time, too."""

_STAGE_ENDED = "the stage ended before this seat answered: raise timeoutSeconds, or give the model more capacity"
_PLACE_TAKEN = "an entry that cannot be used stands in this seat's place in the ledger"


@dataclass(frozen=True)
class Work:
    """Everything that is missing in this stage; `until_ms` (since the epoch) is when to stop and step again."""

    stage: Stage
    asks: tuple[Ask, ...]
    until_ms: int


@dataclass(frozen=True)
class Record:
    """Entries to write, each once, before the next step."""

    entries: tuple[LedgerEntry, ...]


@dataclass(frozen=True)
class Finish:
    """The end: the verdict that stands in the ledger already, or the one to write into it."""

    verdict: Verdict


def step(task: Task, standing: Standing, now_ms: int) -> Work | Record | Finish:
    """Return what the run needs next at `now_ms` (since the epoch).

    Whoever has the task and its ledger may carry it out, several at a time and again after a crash: every entry is
    created once, so all of them come to the same end.
    """
    if standing.verdict is not None:
        return Finish(standing.verdict)
    if standing.cancelled:
        return _finish(standing, Outcome.CANCELLED, now_ms)
    return _propose(task, standing, now_ms) or _judge(task, standing, now_ms) or _conclude(task, standing, now_ms)


def _propose(task: Task, standing: Standing, now_ms: int) -> Work | Record | Finish | None:
    """Return what the propose stage needs, or None when it is over and has its quorum."""
    asks = tuple(_missing(standing, Stage.PROPOSE, tuple(dict.fromkeys(seat.id for seat in task.seats))))
    shortfall = task.quorum - len(standing.proposals)
    if shortfall > len(asks):
        return _finish(standing, _outcome_below_quorum(standing, shortfall), now_ms)
    return _wait(standing, asks, until_ms=_end_of_proposing(task, has_quorum=shortfall <= 0), now_ms=now_ms)


def _judge(task: Task, standing: Standing, now_ms: int) -> Work | Record | None:
    """Return what the judge stage needs, or None when it is over or has no place in this run."""
    if not has_judging(task, standing):
        return None
    asks = tuple(_missing(standing, Stage.JUDGE, tuple(standing.proposals)))
    return _wait(standing, asks, until_ms=task.deadline_ms, now_ms=now_ms)


def has_judging(task: Task, standing: Standing) -> bool:
    """Return whether the proposals are judged: in a Panel, when there is something to compare."""
    return task.strategy is ResolvedStrategy.PANEL and len(standing.proposals) > 1


def _conclude(task: Task, standing: Standing, now_ms: int) -> Finish:
    if not has_judging(task, standing) or standing.ballots:
        return _finish(standing, Outcome.SUCCEEDED, now_ms)
    ran_out = any(_was_cut_short(standing, Stage.JUDGE))
    return _finish(standing, Outcome.TIMED_OUT if ran_out else Outcome.NO_BALLOTS, now_ms)


def _missing(standing: Standing, stage: Stage, seats: tuple[str, ...]) -> Iterator[Ask]:
    return (Ask(stage, seat) for seat in seats if not standing.has_closed(Ask(stage, seat)))


def _wait(standing: Standing, asks: tuple[Ask, ...], until_ms: int, now_ms: int) -> Work | Record | None:
    """Return the work on `asks`, or the abstentions of those that cannot be waited for; None when nothing is asked."""
    if not asks:
        return None
    spoiled = tuple(ask for ask in asks if ask.key in standing.spoiled)
    if spoiled:
        return Record(tuple(_abstain(ask, AbstentionReason.INTERNAL_ERROR, _PLACE_TAKEN) for ask in spoiled))
    if now_ms >= until_ms:
        return Record(tuple(_abstain(ask, AbstentionReason.STAGE_ENDED, _STAGE_ENDED) for ask in asks))
    return Work(asks[0].stage, asks, until_ms)


def _abstain(ask: Ask, reason: AbstentionReason, message: str) -> Abstention:
    return Abstention(seat=ask.seat, stage=ask.stage, round=ask.round, turn=ask.turn, reason=reason, message=message)


def _end_of_proposing(task: Task, *, has_quorum: bool) -> int:
    """Return when proposing ends: a Panel leaves time for judging, unless that would cost the quorum."""
    if task.strategy is ResolvedStrategy.PANEL and has_quorum:
        return task.started_at_ms + task.timeout_ms * PROPOSE_SHARE_PERCENT // 100
    return task.deadline_ms


def _outcome_below_quorum(standing: Standing, shortfall: int) -> Outcome:
    """Return TIMED_OUT when seats that ran out of time could have made up the shortfall, else NO_QUORUM."""
    ran_out = sum(_was_cut_short(standing, Stage.PROPOSE))
    return Outcome.TIMED_OUT if ran_out >= shortfall else Outcome.NO_QUORUM


def _was_cut_short(standing: Standing, stage: Stage) -> Iterator[bool]:
    """Yield for each abstention of the stage whether time was its reason."""
    return (
        abstention.reason is AbstentionReason.STAGE_ENDED
        for ask, abstention in standing.abstentions.items()
        if ask.stage is stage
    )


def _finish(standing: Standing, outcome: Outcome, now_ms: int) -> Finish:
    entries: tuple[LedgerEntry, ...] = (
        *standing.proposals.values(),
        *standing.ballots.values(),
        *standing.abstentions.values(),
    )
    counted = tuple(entry_key(entry) for entry in entries)
    return Finish(Verdict(outcome=outcome, counted=counted, decided_at_ms=now_ms))
