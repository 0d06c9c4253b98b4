"""From a ledger to a standing: total over anything that lies there, in whatever order and however often it is read."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from operator import attrgetter

from deliberation.aggregation.answers import read_answer
from deliberation.engine.asks import Ask, Contribution, ask_of
from deliberation.engine.gathering import Gathering
from deliberation.engine.reading import list_judged
from deliberation.engine.settling import drop_uncounted
from deliberation.engine.standing import Rejection, Standing, Wave
from deliberation.engine.strategies import list_legs
from deliberation.engine.waves import find_asks
from deliberation.protocol.entries import Abstention, Ballot, LedgerEntry, LedgerRecord, Start, Suspend, Verdict
from deliberation.protocol.tasks import Task


def fold(task: Task, records: Iterable[LedgerRecord]) -> Standing:
    """Return where the run stands after `records`, in whatever order and however often they were read.

    A record's sequence is its identity: a sequence seen before is the same message read again. The first verdict ends
    the run for good: only what it counts, counts.
    """
    folding = Folding(task)
    for record in sorted({record.sequence: record for record in records}.values(), key=attrgetter("sequence")):
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
        self._settled = Standing(rounds=({},))
        self._wave: Gathering | None = None
        self._wave_starts = 0
        self._answered: set[str] = set()
        self._counting: set[str] = set()
        self._started: Start | None = None
        self._starts = 0
        self._cancelled = False
        self._suspended = False
        self._verdict: Verdict | None = None
        self._rejected: defaultdict[str, int] = defaultdict(int)
        self._spoiled: set[str] = set()
        self._taken: set[str] = set()
        self._begin_next_wave()

    def add(self, record: LedgerRecord) -> None:
        """Take one record in, or count why it does not count."""
        if self._verdict is not None:
            self._rejected[Rejection.LATE] += 1
        else:
            rejection = self._take_in(record.key, record.entry) if record.entry else Rejection.MALFORMED
            if rejection:
                self._reject(record.key, rejection)
        self._taken.add(record.key)

    def stand(self) -> Standing:
        """Return where the run stands now."""
        return self._settle()._replace(
            started=self._started,
            starts=self._starts,
            cancelled=self._cancelled,
            suspended=self._suspended,
            verdict=self._verdict,
            rejected=dict(sorted(self._rejected.items())) if self._rejected else {},
            spoiled=frozenset(self._spoiled),
            wave=self._show_wave(self._wave) if self._wave else None,
        )

    def _settle(self) -> Standing:
        return self._wave.settle() if self._wave else self._settled

    def _show_wave(self, wave: Gathering) -> Wave:
        has_begun = self._wave_starts > 0 or wave.has_begun
        return Wave(wave.leg, tuple(wave.open.values()), has_begun, max(1, self._wave_starts))

    def _begin_next_wave(self) -> None:
        """Go on to the next stage in which something is asked that can still be answered."""
        self._settled, self._wave, self._wave_starts = self._settle(), None, 0
        for leg in self._legs:
            asks = find_asks(self._task, self._settled, leg.stage, leg.round)
            wave = Gathering(leg, asks, self._settled, self._spoiled)
            if wave.open:
                self._wave = wave
                return

    def _take_in(self, key: str, entry: LedgerEntry) -> Rejection | None:
        """Take the entry in, or return why it does not count."""
        if key != entry.key:
            return Rejection.MISPLACED
        if key in self._taken:
            return Rejection.DUPLICATE
        match entry.kind:
            case "proposal" | "critique" | "ballot" | "synthesis":
                return self._take_answer(key, key, entry)
            case "abstention":
                return self._take_answer(ask_of(entry).key, key, entry)
            case "start":
                self._started = self._started or entry
                self._starts += 1
                self._wave_starts += 1
            case "cancel":
                self._cancelled = True
            case "suspend":
                self._suspended = self._suspended or entry.number >= self._task.resumed
            case _:
                self._end(entry)
        return None

    def _take_answer(self, asked: str, key: str, entry: Contribution | Abstention) -> Rejection | None:
        wave = self._wave
        if wave is None or asked not in wave.open:
            return Rejection.DUPLICATE if asked in self._answered else Rejection.FOREIGN
        fault = self._find_fault(entry, wave.open[asked], wave.before)
        if fault is None:
            wave.take(asked, entry)
            self._counting.add(key)
            self._go_on_from(asked, wave)
        return fault

    def _find_fault(self, entry: Contribution | Abstention, ask: Ask, before: Standing) -> Rejection | None:
        """Return what is wrong with the answer to an open ask."""
        is_ours = is_usable = True
        match entry.kind:
            case "proposal" | "synthesis":
                is_ours = entry.seat == ask.seat
                is_usable = read_answer(entry.answer, self._task.answer) is not None
            case "critique":
                is_ours = entry.texts.keys() <= before.proposals.keys() - {ask.seat}
                is_usable = bool(entry.texts)
            case "ballot":
                is_ours, is_usable = self._examine_ballot(entry, before)
            case _:
                is_ours = ask_of(entry) == ask
        if not is_ours:
            return Rejection.FOREIGN
        return None if is_usable else Rejection.MALFORMED

    @cached_property
    def _criteria(self) -> frozenset[str]:
        return frozenset([criterion.name for criterion in self._task.criteria])

    def _examine_ballot(self, ballot: Ballot, before: Standing) -> tuple[bool, bool]:
        """Return whether all that is scored was asked for, and whether all that was asked for is scored."""
        shown = list_judged(before, ballot.judge).keys()
        scored = [score.proposal for score in ballot.scores]
        is_ours = shown >= set(scored) and all(score.criteria.keys() <= self._criteria for score in ballot.scores)
        is_complete = len(scored) == len(set(scored)) == len(shown) and all(
            len(score.criteria) == len(self._criteria) for score in ballot.scores
        )
        return is_ours, is_complete

    def _go_on_from(self, asked: str, wave: Gathering) -> None:
        self._answered.add(asked)
        if not wave.open:
            self._begin_next_wave()

    def _reject(self, key: str, rejection: Rejection) -> None:
        """Count the record out."""
        self._rejected[rejection] += 1
        if key not in self._taken and rejection is not Rejection.DUPLICATE:
            self._spoil(key)

    def _spoil(self, key: str) -> None:
        """Remember that a place cannot be used. In that of an abstention, even one that can't be read is one."""
        self._spoiled.add(key)
        # Nobody could cancel or suspend any more, if what stands there meant nothing.
        self._cancelled = self._cancelled or key == "cancel"
        self._suspended = self._suspended or key == Suspend(number=self._task.resumed).key
        wave = self._wave
        if wave and (ask := wave.find_ask_of_abstention(key)):
            wave.close(ask.key)
            self._go_on_from(ask.key, wave)

    def _end(self, verdict: Verdict) -> None:
        """End the run with what the verdict counts: the rest came before it, but whoever wrote it had not seen it."""
        self._verdict = verdict
        self._settled, self._wave = self._settle(), None
        counted = frozenset(verdict.counted)
        if not self._counting <= counted:
            self._settled, dropped = drop_uncounted(self._settled, counted)
            self._rejected[Rejection.LATE] += dropped
