"""Whatever lies in a ledger has one meaning, in whatever order it is read."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.api.v1alpha1.strategy import Stop
from deliberation.engine.asks import ask_of
from deliberation.engine.fold import Folding, fold
from deliberation.engine.report import report
from deliberation.engine.step import Finish, Record, step
from deliberation.protocol.entries import (
    Abstention,
    Cancel,
    Critique,
    LedgerEntry,
    LedgerRecord,
    Proposal,
    Stage,
    Start,
    Suspend,
    Synthesis,
)
from deliberation.protocol.tasks import ResolvedStrategy, Task
from fakes.fake_answers import answer_ask
from unit.deliberation.engine.scripted import CHOICE, ballot, build_task, build_vote, propose
from unit.deliberation.engine.test_fold import TASK, VERDICT, abstain

SEATS = st.sampled_from(["s-0", "s-1", "s-2", "stranger"])
NUMBERS = st.sampled_from([0, 0, 0, 1, 2])
ENTRIES = st.one_of(
    st.builds(propose, SEATS, st.sampled_from(["a", "b", "left", ""])),
    st.builds(Proposal, seat=SEATS, round=NUMBERS, sample=NUMBERS, answer=st.sampled_from(["right", "up"])),
    st.builds(abstain, SEATS, st.sampled_from(list(Stage))),
    st.builds(
        Abstention,
        seat=SEATS,
        stage=st.sampled_from(Stage),
        round=NUMBERS,
        turn=NUMBERS,
        reason=st.sampled_from(AbstentionReason),
    ),
    st.builds(
        Critique, seat=SEATS, round=NUMBERS, texts=st.dictionaries(SEATS, st.sampled_from(["bad", ""]), max_size=3)
    ),
    st.builds(Synthesis, seat=SEATS, answer=st.sampled_from(["left", ""])),
    st.builds(
        ballot,
        st.sampled_from(["s-0", "s-1", "s-2"]),
        st.dictionaries(st.sampled_from(["s-0", "s-1", "s-2"]), st.integers(1, 5)),
    ),
    st.builds(Start, number=NUMBERS, runner=st.just("r"), at_ms=st.just(1)),
    st.just(Cancel()),
    st.builds(Suspend, number=NUMBERS),
    st.just(VERDICT),
)

KEYS = st.sampled_from(
    ["start", "cancel", "verdict", "nonsense", "proposal.0.s-0.0", "ballot.0.s-1.0", "abstention.judge.0.s-2.0"]
)


@st.composite
def ledgers(draw: st.DrawFn) -> list[LedgerRecord]:
    """Return any ledger: good entries, broken ones, and good ones in wrong places."""
    entries = draw(st.lists(st.one_of(ENTRIES, st.none()), max_size=14))
    return [
        LedgerRecord(sequence, draw(KEYS) if entry is None or draw(st.integers(0, 9)) == 0 else entry.key, entry)
        for sequence, entry in enumerate(entries, 1)
    ]


@given(ledgers(), st.randoms(use_true_random=False))
def test_the_order_of_reading_and_reading_twice_change_nothing(ledger: list[LedgerRecord], chance: Random) -> None:
    shuffled = ledger + ledger
    chance.shuffle(shuffled)
    assert fold(TASK, shuffled) == fold(TASK, ledger)


@given(ledgers(), ledgers())
def test_a_finished_run_never_changes_whatever_arrives_late(
    before: list[LedgerRecord], after: list[LedgerRecord]
) -> None:
    ended = [*(record for record in before if record.key != "verdict"), LedgerRecord(100, "verdict", VERDICT)]
    late = [LedgerRecord(200 + record.sequence, record.key, record.entry) for record in after]
    first, last = fold(TASK, ended), fold(TASK, [*late, *ended])
    assert step(TASK, last, 10**15) == Finish(VERDICT)
    assert report(TASK, last) == report(TASK, first)


@given(ledgers(), st.sampled_from([TASK, build_vote(3), build_task(1), build_task(64)]))
def test_strangers_broken_and_misplaced_records_change_nothing(ledger: list[LedgerRecord], task: Task) -> None:
    noise = [
        LedgerRecord(500, "proposal.0.nobody.0", propose("nobody")),
        LedgerRecord(501, "abstention.judge.0.nobody.0", abstain("nobody", Stage.JUDGE)),
        LedgerRecord(502, "ballot.0.nobody.0", ballot("nobody", {"s-0": 5})),
        LedgerRecord(503, "proposal.7.s-0.0", None),
        LedgerRecord(504, "elsewhere", propose("s-1")),
    ]
    clean, noisy = fold(task, ledger), fold(task, [*ledger, *noise])
    assert (noisy.proposals, noisy.ballots, noisy.abstentions) == (clean.proposals, clean.ballots, clean.abstentions)
    assert step(task, noisy, 0) == step(task, clean, 0)
    assert sum(noisy.rejected.values()) == sum(clean.rejected.values()) + len(noise)


STRATEGIES = (
    *(build_task(3, strategy, rounds=2, orders=2, synthesiser="s-1") for strategy in ResolvedStrategy),
    build_task(3, ResolvedStrategy.DEBATE, answer=CHOICE, rounds=2),
    build_vote(3, samples=2, stop=Stop.UNASSAILABLE, quorum=1),
    build_task(3, samples=2, orders=2, quorum=1, synthesiser="s-0"),
)


@given(ledgers(), st.sampled_from(STRATEGIES), st.randoms(use_true_random=False))
def test_whatever_lies_in_a_ledger_has_a_meaning_and_the_order_of_reading_is_none_of_it(
    ledger: list[LedgerRecord], task: Task, chance: Random
) -> None:
    shuffled = ledger + ledger[::2]
    chance.shuffle(shuffled)
    standing = fold(task, shuffled)
    assert standing == fold(task, ledger)
    report(task, standing)
    step(task, standing, 10**15)
    in_order = Folding(task)
    for record in ledger:
        in_order.add(record)
        in_order.stand()
    assert in_order.stand() == standing


class LedgerOfOneRun(RuleBasedStateMachine):
    """A run that its runner carries on while anything else is written into its ledger, too."""

    @initialize(task=st.sampled_from(STRATEGIES))
    def begin(self, task: Task) -> None:
        self.task = task
        self.records: list[LedgerRecord] = []
        self.folding = Folding(task)

    @rule(turn=st.integers(0, 20))
    def answer_something(self, turn: int) -> None:
        asks = self.folding.stand().missing
        if asks:
            self._write(answer_ask(self.task, self.folding.stand(), asks[turn % len(asks)], "left"))

    @rule(entry=ENTRIES)
    def write_anything(self, entry: LedgerEntry) -> None:
        self._write(entry)

    @rule(key=KEYS)
    def write_garbage(self, key: str) -> None:
        self._append(key, None)

    @rule()
    def go_on_after_the_deadline(self) -> None:
        match step(self.task, self.folding.stand(), 10**15):
            case Record(entries):
                for entry in entries:
                    self._write(entry)
            case Finish(verdict):
                self._write(verdict)

    @invariant()
    def every_ask_is_open_once_and_its_place_is_free(self) -> None:
        standing = self.folding.stand()
        taken = {record.key for record in self.records} - standing.spoiled
        asks = standing.missing
        assert len({ask.key for ask in asks}) == len(asks)
        assert not taken & {ask.key for ask in asks}
        assert not taken & {ask.abstention_key for ask in asks}

    @invariant()
    def the_whole_ledger_says_the_same(self) -> None:
        assert fold(self.task, reversed(self.records)) == self.folding.stand()

    @invariant()
    def what_counts_was_asked_of_a_seat_and_answers_no_more_than_once(self) -> None:
        standing = self.folding.stand()
        asked = [ask_of(entry) for entry in standing.list_entries()]
        assert len(set(asked)) == len(asked)
        assert {ask.seat for ask in asked} <= {seat.id for seat in self.task.seats}

    def _write(self, entry: LedgerEntry) -> None:
        self._append(entry.key, entry)

    def _append(self, key: str, entry: LedgerEntry | None) -> None:
        if all(record.key != key for record in self.records):
            record = LedgerRecord(len(self.records) + 1, key, entry)
            self.records.append(record)
            self.folding.add(record)


TestLedgerOfOneRun = LedgerOfOneRun.TestCase
TestLedgerOfOneRun.settings = settings(max_examples=40, stateful_step_count=30)
