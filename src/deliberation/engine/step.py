"""What to do next. `step` is asked again after every new record, and when its `Work` has run out of time."""

from itertools import count
from typing import NamedTuple

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine.asks import Ask
from deliberation.engine.budget import can_pay
from deliberation.engine.majority import is_decided
from deliberation.engine.standing import Standing, Wave
from deliberation.engine.strategies import get_preset
from deliberation.engine.waves import has_judging
from deliberation.protocol.entries import Abstention, LedgerEntry, Outcome, Stage, Verdict
from deliberation.protocol.tasks import Task

_WHY = {
    AbstentionReason.BUDGET_EXHAUSTED: "budget.tokens does not pay for this stage, so nobody was asked: raise it",
    AbstentionReason.INTERNAL_ERROR: "an entry that cannot be used stands in this seat's place in the ledger",
    AbstentionReason.NOT_NEEDED: "the votes that came before decide, so this one was not waited for",
    AbstentionReason.STAGE_ENDED: "the stage ended before this seat answered: raise timeoutSeconds, or give the model "
    "more capacity",
}
"""For people: why the engine abstains in a seat's name."""


class Work(NamedTuple):
    """Everything that is missing in this stage; `until_ms` (since the epoch) is when to stop and step again.

    `tries` counts how often the asks go out, this time included.
    """

    stage: Stage
    asks: tuple[Ask, ...]
    until_ms: int
    tries: int = 1


class Record(NamedTuple):
    """Entries to write, each once, before the next step."""

    entries: tuple[LedgerEntry, ...]


class Finish(NamedTuple):
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
    shortfall = count_shortfall(task, standing)
    if shortfall and shortfall > _count_hopes(standing):
        return _finish(standing, _explain_absence(standing, Stage.PROPOSE, Outcome.NO_QUORUM, shortfall), now_ms)
    if standing.wave is None:
        return _finish(standing, _conclude(task, standing), now_ms)
    return _go_on(task, standing, standing.wave, shortfall, now_ms)


def count_shortfall(task: Task, standing: Standing) -> int:
    """Return how many seats with a valid proposal are missing to the quorum."""
    return max(0, task.quorum - len(standing.list_proposers()))


def _count_hopes(standing: Standing) -> int:
    """Return how many seats may still give their first proposal."""
    silent = {ask.seat for ask in standing.missing if ask.stage is Stage.PROPOSE}
    return len(silent.difference(standing.list_proposers()))


def _go_on(task: Task, standing: Standing, wave: Wave, shortfall: int, now_ms: int) -> Work | Record:
    """Return the work that the wave still is, or the abstentions of those that are not asked or waited for."""
    if not wave.has_begun and not can_pay(task, standing):
        return _abstain(wave.missing, AbstentionReason.BUDGET_EXHAUSTED)
    if not shortfall and is_decided(task, standing):
        return _abstain(wave.missing, AbstentionReason.NOT_NEEDED)
    if standing.spoiled and (unusable := tuple(ask for ask in wave.missing if ask.key in standing.spoiled)):
        return _abstain(unusable, AbstentionReason.INTERNAL_ERROR)
    until_ms = _find_end(task, standing, wave, shortfall)
    if now_ms >= until_ms:
        return _abstain(wave.missing, AbstentionReason.STAGE_ENDED)
    return Work(wave.leg.stage, wave.missing, until_ms, wave.tries)


def _find_end(task: Task, standing: Standing, wave: Wave, shortfall: int) -> int:
    """Return when the wave ends: in its share of the time, unless that would cost the quorum or every ballot."""
    cannot_do_without = shortfall > 0 or (wave.leg.stage is Stage.JUDGE and not standing.ballots)
    return task.deadline_ms if cannot_do_without else wave.leg.end_ms


def _abstain(asks: tuple[Ask, ...], reason: AbstentionReason) -> Record:
    return Record(
        tuple(
            Abstention(
                seat=ask.seat, stage=ask.stage, round=ask.round, turn=ask.turn, reason=reason, message=_WHY[reason]
            )
            for ask in asks
        )
    )


def _conclude(task: Task, standing: Standing) -> Outcome:
    """Return how a run ends in which everything has been asked, and which has its quorum."""
    if has_judging(task, standing) and not standing.ballots:
        return _explain_absence(standing, Stage.JUDGE, Outcome.NO_BALLOTS)
    if get_preset(task).must_synthesise and standing.synthesis is None:
        return _explain_absence(standing, Stage.SYNTHESISE, Outcome.NO_SYNTHESIS)
    return Outcome.SUCCEEDED


def _explain_absence(standing: Standing, stage: Stage, otherwise: Outcome, least: int = 1) -> Outcome:
    """Return whether time or budget is why a stage gave too little: when it cost at least as many as are missing."""
    reasons = [abstention.reason for ask, abstention in standing.abstentions.items() if ask.stage is stage]
    if reasons.count(AbstentionReason.BUDGET_EXHAUSTED) >= least:
        return Outcome.BUDGET_EXHAUSTED
    if reasons.count(AbstentionReason.STAGE_ENDED) >= least:
        return Outcome.TIMED_OUT
    return otherwise


def _finish(standing: Standing, outcome: Outcome, now_ms: int) -> Finish:
    """Return the verdict, in the first place for one that can be used."""
    counted = tuple(entry.key for entry in standing.list_entries())
    verdicts = (Verdict(number=number, outcome=outcome, counted=counted, decided_at_ms=now_ms) for number in count())
    return Finish(next(verdict for verdict in verdicts if verdict.key not in standing.spoiled))
