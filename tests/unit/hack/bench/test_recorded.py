"""The ledgers that the engine's bench measures."""

import pytest

from bench.overhead_of_the_engine import encode, lengthen
from bench.recorded import build_task, record_run
from deliberation.engine.fold import fold
from deliberation.protocol.entries import LedgerRecord, Outcome, decode_entry
from deliberation.protocol.tasks import ResolvedStrategy


@pytest.mark.parametrize("strategy", [ResolvedStrategy.VOTE, ResolvedStrategy.PANEL, ResolvedStrategy.DEBATE])
def test_a_recorded_run_is_a_whole_run_and_always_the_same(strategy: ResolvedStrategy) -> None:
    task = build_task(strategy, seats=3, rounds=2)
    records = record_run(task)
    standing = fold(task, records)
    assert standing.verdict is not None
    assert standing.verdict.outcome is Outcome.SUCCEEDED
    assert len(standing.proposals) == 3
    assert record_run(task) == records


def test_entries_are_encoded_as_the_bus_carries_them() -> None:
    records = record_run(build_task(ResolvedStrategy.PANEL, seats=2, rounds=1))
    assert [decode_entry(line) for line in encode(records)] == [record.entry for record in records]


def test_a_ledger_can_be_lengthened_without_changing_its_result() -> None:
    task = build_task(ResolvedStrategy.PANEL, seats=3, rounds=1)
    records = record_run(task)
    longer = lengthen(records, 50)
    assert len(longer) == 50
    assert [record.sequence for record in longer] == sorted({record.sequence for record in longer})
    assert fold(task, longer).ballots == fold(task, records).ballots
    assert fold(task, longer).verdict == fold(task, records).verdict


def test_a_malformed_record_has_nothing_to_encode() -> None:
    assert encode((LedgerRecord(1, "start", None),)) == []
