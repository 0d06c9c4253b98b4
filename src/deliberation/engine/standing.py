"""What a ledger says: `fold` turns the records of one run into a standing, total over anything that lies there."""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum

from deliberation.aggregation.answers import read_answer
from deliberation.engine.asks import Ask, ask_of
from deliberation.protocol.messages import (
    Abstention,
    Ballot,
    Cancel,
    Critique,
    LedgerEntry,
    LedgerRecord,
    Proposal,
    Stage,
    Start,
    Synthesis,
    Task,
    Verdict,
    entry_key,
)


class Rejection(StrEnum):
    """Why a record changes nothing."""

    MALFORMED = "Malformed"
    """No entry of a known version, or one that says nothing usable: an impossible answer, an incomplete ballot."""
    MISPLACED = "Misplaced"
    """An entry filed under another key than its own."""
    FOREIGN = "Foreign"
    """Names a seat, judge, proposal, criterion, round or order that this run does not have, or the judge itself."""
    DUPLICATE = "Duplicate"
    """Its place was taken before: of everything that one seat writes in one stage, the first entry counts."""
    LATE = "Late"
    """Came after the verdict, or was not seen by whoever wrote it."""


@dataclass(frozen=True)
class Standing:
    """Where one run stands.

    Mappings are in the order of the task's seats. `proposals` are those that stand now, by id: the latest valid one of
    each seat and sample; `rounds` holds all of them by the round in which they were written, round 0 first. `critiques`
    are by round and seat, `ballots` by judge and order, `abstentions` by what was asked. `spoiled` holds the keys whose
    place is taken by a record that does not count, so that nobody can fill it any more.
    """

    started: Start | None = None
    cancelled: bool = False
    proposals: Mapping[str, Proposal] = field(default_factory=dict)
    rounds: tuple[Mapping[str, Proposal], ...] = ()
    critiques: Mapping[tuple[int, str], Critique] = field(default_factory=dict)
    ballots: Mapping[tuple[str, int], Ballot] = field(default_factory=dict)
    synthesis: Synthesis | None = None
    abstentions: Mapping[Ask, Abstention] = field(default_factory=dict)
    verdict: Verdict | None = None
    rejected: Mapping[str, int] = field(default_factory=dict)
    spoiled: frozenset[str] = frozenset()

    def has_closed(self, ask: Ask) -> bool:
        """Return whether nothing can come in answer to the ask any more."""
        given = ask.seat in self.proposals if ask.stage is Stage.PROPOSE else (ask.seat, ask.turn) in self.ballots
        return given or _has_abstained(ask, self.abstentions, self.spoiled)


def _has_abstained(ask: Ask, abstentions: Mapping[Ask, Abstention], spoiled: AbstractSet[str]) -> bool:
    """Return whether the ask's place for an abstention is taken, be it by one that cannot be read."""
    return ask in abstentions or ask.abstention_key in spoiled


def fold(task: Task, records: Iterable[LedgerRecord]) -> Standing:
    """Return where the run stands after `records`, in whatever order and however often they were read.

    A record's sequence is its identity: a sequence seen before is the same message read again. The first verdict ends
    the run for good: only what it counts, counts.
    """
    ordered = sorted({record.sequence: record for record in records}.values(), key=lambda record: record.sequence)
    ledger = _Ledger(task)
    for record in ordered:
        ledger.add(record)
    return ledger.standing()


class _Ledger:
    """The standing while it is being folded; lives for one call of `fold`."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.seats = tuple(dict.fromkeys(seat.id for seat in task.seats))
        self.criteria = {criterion.name for criterion in task.criteria}
        self.rejected: Counter[str] = Counter()
        self.started: Start | None = None
        self.cancelled = False
        self.verdict: Verdict | None = None
        self.proposals: dict[str, Proposal] = {}
        self.ballots: dict[tuple[str, int], Ballot] = {}
        self.abstentions: dict[Ask, Abstention] = {}
        self.spoiled: set[str] = set()
        self.taken: set[str] = set()

    def add(self, record: LedgerRecord) -> None:
        """Take one record in, or count why it does not count."""
        rejection = self._find_rejection(record)
        if rejection is None and record.entry is not None:
            self._accept(record.entry)
        else:
            self.rejected[str(rejection)] += 1
            if record.key not in self.taken and rejection not in {Rejection.DUPLICATE, Rejection.LATE}:
                self.spoiled.add(record.key)
        self.taken.add(record.key)

    def _find_rejection(self, record: LedgerRecord) -> Rejection | None:
        if record.entry is None:
            return Rejection.MALFORMED
        if self.verdict is not None:
            return Rejection.LATE
        if record.key != entry_key(record.entry):
            return Rejection.MISPLACED
        if record.key in self.taken:
            return Rejection.DUPLICATE
        return self._find_fault(record.entry)

    def _find_fault(self, entry: LedgerEntry) -> Rejection | None:
        match entry:
            case Proposal():
                return self._find_fault_of_proposal(entry)
            case Ballot():
                return self._find_fault_of_ballot(entry)
            case Abstention():
                return self._find_fault_of_abstention(entry)
            case Start() | Cancel() | Verdict():
                return None
            case Critique() | Synthesis():
                return Rejection.FOREIGN

    def _find_fault_of_proposal(self, proposal: Proposal) -> Rejection | None:
        if proposal.seat not in self.seats or (proposal.round, proposal.sample) != (0, 0):
            return Rejection.FOREIGN
        if self._has_closed(ask_of(proposal)):
            return Rejection.DUPLICATE
        return None if read_answer(proposal.answer, self.task.answer) is not None else Rejection.MALFORMED

    def _find_fault_of_ballot(self, ballot: Ballot) -> Rejection | None:
        scored = [score.proposal for score in ballot.scores]
        is_ours = (
            self._is_judge(ballot.judge)
            and ballot.round == 0
            and ballot.order in range(self.task.orders)
            and set(scored) <= self.proposals.keys() - {ballot.judge}
            and all(score.criteria.keys() <= self.criteria for score in ballot.scores)
        )
        if not is_ours:
            return Rejection.FOREIGN
        if self._has_closed(ask_of(ballot)):
            return Rejection.DUPLICATE
        is_complete = len(scored) == len(set(scored)) == len(self.proposals) - 1 and all(
            score.criteria.keys() == self.criteria for score in ballot.scores
        )
        return None if is_complete else Rejection.MALFORMED

    def _find_fault_of_abstention(self, abstention: Abstention) -> Rejection | None:
        ask = ask_of(abstention)
        may_abstain = {Stage.PROPOSE: ask.seat in self.seats, Stage.JUDGE: self._is_judge(ask.seat)}
        if not may_abstain.get(ask.stage) or (ask.round, ask.turn) != (0, 0):
            return Rejection.FOREIGN
        return Rejection.DUPLICATE if self._has_closed(ask) else None

    def _is_judge(self, seat: str) -> bool:
        """Return whether the seat may judge: it proposed, and no proposal can come any more."""
        return seat in self.proposals and all(self._has_closed(Ask(Stage.PROPOSE, other)) for other in self.seats)

    def _has_closed(self, ask: Ask) -> bool:
        given = ask.seat in self.proposals if ask.stage is Stage.PROPOSE else (ask.seat, ask.turn) in self.ballots
        return given or _has_abstained(ask, self.abstentions, self.spoiled)

    def _accept(self, entry: LedgerEntry) -> None:
        match entry:
            case Start():
                self.started = entry
            case Cancel():
                self.cancelled = True
            case Verdict():
                self.verdict = entry
                self._drop_what_does_not_count(entry)
            case Proposal():
                self.proposals[entry.seat] = entry
            case Ballot():
                self.ballots[entry.judge, entry.order] = entry
            case Abstention():
                self.abstentions[ask_of(entry)] = entry
            case Critique() | Synthesis():
                raise AssertionError("found a fault in every one")

    def _drop_what_does_not_count(self, verdict: Verdict) -> None:
        """Take out what came before the verdict but was not seen by whoever wrote it."""
        before = len(self.proposals) + len(self.ballots) + len(self.abstentions)
        counted = set(verdict.counted)
        self.proposals = {seat: entry for seat, entry in self.proposals.items() if entry_key(entry) in counted}
        self.ballots = {
            place: entry
            for place, entry in self.ballots.items()
            if entry_key(entry) in counted
            and {entry.judge, *(score.proposal for score in entry.scores)} <= self.proposals.keys()
        }
        self.abstentions = {place: entry for place, entry in self.abstentions.items() if entry_key(entry) in counted}
        after = len(self.proposals) + len(self.ballots) + len(self.abstentions)
        self.rejected.update({Rejection.LATE: before - after} if before > after else {})

    def standing(self) -> Standing:
        """Return what has been folded, in the order of the seats."""
        places = [Ask(stage, seat) for stage in Stage for seat in self.seats]
        proposals = {seat: self.proposals[seat] for seat in self.seats if seat in self.proposals}
        return Standing(
            started=self.started,
            cancelled=self.cancelled,
            proposals=proposals,
            rounds=(proposals,),
            ballots={
                (seat, order): self.ballots[seat, order]
                for seat in self.seats
                for order in range(self.task.orders)
                if (seat, order) in self.ballots
            },
            abstentions={place: self.abstentions[place] for place in places if place in self.abstentions},
            verdict=self.verdict,
            rejected=dict(sorted(self.rejected.items())),
            spoiled=frozenset(self.spoiled),
        )
