"""From a ledger to a standing: total over anything that lies there, in whatever order and however often it is read."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from deliberation.aggregation.answers import read_answer
from deliberation.engine.asks import Ask, Contribution
from deliberation.engine.reading import list_judged
from deliberation.engine.settling import drop_uncounted, settle
from deliberation.engine.standing import Rejection, Standing, Wave
from deliberation.engine.strategies import Leg, list_legs
from deliberation.engine.waves import find_asks
from deliberation.protocol.messages import (
    Abstention,
    Ballot,
    Cancel,
    Critique,
    LedgerEntry,
    LedgerRecord,
    Stage,
    Start,
    Task,
    Verdict,
)


def fold(task: Task, records: Iterable[LedgerRecord]) -> Standing:
    """Return where the run stands after `records`, in whatever order and however often they were read.

    A record's sequence is its identity: a sequence seen before is the same message read again. The first verdict ends
    the run for good: only what it counts, counts.
    """
    folding = Folding(task)
    for record in sorted({record.sequence: record for record in records}.values(), key=lambda record: record.sequence):
        folding.add(record)
    return folding.stand()


class Folding:
    """A standing that grows with its ledger. Records come in the order of their sequences, each once.

    What counts is what was asked: an entry is taken in only while its ask is open, and the next wave of asks follows
    from the standing when the last one of the wave before is answered.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._legs = iter(list_legs(task))
        self._leg: Leg | None = None
        self._settled = Standing(rounds=({},))
        self._asks: tuple[Ask, ...] = ()
        self._open: dict[str, Ask] = {}
        self._open_abstentions: dict[str, Ask] = {}
        self._closed: set[str] = set()
        self._given: dict[Ask, Contribution] = {}
        self._absent: dict[Ask, Abstention] = {}
        self._wave_starts = 0
        self._judged: dict[str, frozenset[str]] = {}
        self._criteria = {criterion.name for criterion in task.criteria}
        self._started: Start | None = None
        self._starts = 0
        self._cancelled = False
        self._verdict: Verdict | None = None
        self._rejected: Counter[str] = Counter()
        self._spoiled: set[str] = set()
        self._taken: set[str] = set()
        self._begin_next_wave()

    def add(self, record: LedgerRecord) -> None:
        """Take one record in, or count why it does not count."""
        rejection = self._find_rejection(record)
        if rejection is None and record.entry is not None:
            self._accept(record.key, record.entry)
        else:
            self._rejected[str(rejection)] += 1
            if record.key not in self._taken and rejection not in {Rejection.DUPLICATE, Rejection.LATE}:
                self._spoil(record.key)
        self._taken.add(record.key)

    def stand(self) -> Standing:
        """Return where the run stands now."""
        return replace(
            self._settled if self._verdict else self._settle(),
            started=self._started,
            starts=self._starts,
            cancelled=self._cancelled,
            verdict=self._verdict,
            rejected=dict(sorted(self._rejected.items())),
            spoiled=frozenset(self._spoiled),
            wave=None if self._verdict else self._find_wave(),
        )

    def _find_wave(self) -> Wave | None:
        if self._leg is None:
            return None
        missing = tuple(self._open.values())
        if self._wave_starts > 1:
            missing = tuple(replace(ask, tries=self._wave_starts) for ask in missing)
        return Wave(self._leg, missing, has_begun=self._wave_starts > 0 or len(missing) < len(self._asks))

    def _settle(self) -> Standing:
        """Return the standing with what the wave has brought so far."""
        if self._leg is None or not (self._given or self._absent):
            return self._settled
        given = tuple(self._given[ask] for ask in self._asks if ask in self._given)
        absent = {ask: self._absent[ask] for ask in self._asks if ask in self._absent}
        return settle(self._settled, self._leg, given, absent)

    def _begin_next_wave(self) -> None:
        """Go on to the next stage in which something is asked that can still be answered."""
        while not self._open:
            self._settled = self._settle()
            self._given, self._absent, self._wave_starts = {}, {}, 0
            self._leg = next(self._legs, None)
            if self._leg is None:
                return
            self._asks = find_asks(self._task, self._settled, self._leg.stage, self._leg.round)
            answerable = tuple(ask for ask in self._asks if ask.abstention_key not in self._spoiled)
            self._open = {ask.key: ask for ask in answerable}
            self._open_abstentions = {ask.abstention_key: ask for ask in answerable}
            if self._leg.stage is Stage.JUDGE:
                self._judged = {
                    judge: frozenset(proposal.id for proposal in list_judged(self._settled, judge))
                    for judge in {ask.seat for ask in self._asks}
                }

    def _find_rejection(self, record: LedgerRecord) -> Rejection | None:
        if self._verdict is not None:
            return Rejection.LATE
        if record.entry is None:
            return Rejection.MALFORMED
        if record.key != record.entry.key:
            return Rejection.MISPLACED
        if record.key in self._taken:
            return Rejection.DUPLICATE
        return self._find_fault(record.key, record.entry)

    def _find_fault(self, key: str, entry: LedgerEntry) -> Rejection | None:
        """Return what is wrong with an entry that lies in its own place."""
        if isinstance(entry, Start | Cancel | Verdict):
            return None
        asked = self._open_abstentions if isinstance(entry, Abstention) else self._open
        if key not in asked:
            return Rejection.DUPLICATE if key in self._closed else Rejection.FOREIGN
        return self._find_fault_of_reply(entry, asked[key])

    def _find_fault_of_reply(self, entry: Contribution | Abstention, ask: Ask) -> Rejection | None:
        """Return what is wrong with an entry that was asked for."""
        match entry:
            case Abstention():
                return None
            case Ballot():
                return self._find_fault_of_ballot(entry)
            case Critique():
                others = self._settled.proposals.keys() - {ask.seat}
                is_ours, is_usable = entry.texts.keys() <= others, bool(entry.texts)
            case _:
                is_ours, is_usable = entry.seat == ask.seat, read_answer(entry.answer, self._task.answer) is not None
        if not is_ours:
            return Rejection.FOREIGN
        return None if is_usable else Rejection.MALFORMED

    def _find_fault_of_ballot(self, ballot: Ballot) -> Rejection | None:
        """Return what is wrong: a ballot scores all that its judge was shown, by every criterion, and nothing else."""
        shown = self._judged[ballot.judge]
        scored = [score.proposal for score in ballot.scores]
        if not (shown.issuperset(scored) and all(score.criteria.keys() <= self._criteria for score in ballot.scores)):
            return Rejection.FOREIGN
        is_complete = len(scored) == len(set(scored)) == len(shown) and all(
            score.criteria.keys() == self._criteria for score in ballot.scores
        )
        return None if is_complete else Rejection.MALFORMED

    def _accept(self, key: str, entry: LedgerEntry) -> None:
        match entry:
            case Start():
                self._started = self._started or entry
                self._starts += 1
                self._wave_starts += 1
            case Cancel():
                self._cancelled = True
            case Verdict():
                self._end(entry)
            case Abstention():
                ask = self._open_abstentions[key]
                self._absent[ask] = entry
                self._close(ask)
            case _:
                ask = self._open[key]
                self._given[ask] = entry
                self._close(ask)

    def _spoil(self, key: str) -> None:
        """Remember that a place cannot be used. In that of an abstention, even one that can't be read is one."""
        self._spoiled.add(key)
        # Nobody could cancel any more, if what stands there meant nothing.
        self._cancelled = self._cancelled or key == "cancel"
        if key in self._open_abstentions:
            self._close(self._open_abstentions[key])

    def _close(self, ask: Ask) -> None:
        del self._open[ask.key], self._open_abstentions[ask.abstention_key]
        self._closed |= {ask.key, ask.abstention_key}
        self._begin_next_wave()

    def _end(self, verdict: Verdict) -> None:
        """End the run with what the verdict counts: the rest came before it, but whoever wrote it had not seen it."""
        self._verdict = verdict
        self._settled, dropped = drop_uncounted(self._settle(), frozenset(verdict.counted))
        if dropped:
            self._rejected[Rejection.LATE] += dropped
