"""`hack/bench/engine`: how long folding ledgers and deciding what comes next takes, without models, bus or clock.

Each ledger is measured beside a baseline of the same run: `json.loads` of the same entries, the least that anything
can take that has to read them. So the last column says the same on a slow machine, on a fast and on a busy one.

A look is what the operator does at each event: fold the whole ledger, then step. A run is what a driver does from the
first entry to the last: take each in, see where the run stands, step. Bars, on an idle machine: 100 microseconds for a
look at a debate of 3 seats and 2 rounds, the same time for each entry however many there are, 50 ms for folding 5,000.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from bench.figures import Summary, summarise
from bench.recorded import START_MS, build_task, record_run
from deliberation.engine.fold import Folding, fold
from deliberation.engine.step import step
from deliberation.protocol.entries import LedgerRecord, decode_entry
from deliberation.protocol.tasks import ResolvedStrategy, Task

SIZES = ((3, 2), (8, 2), (16, 4), (32, 8), (64, 8))
"""Seats and rounds of the debates."""

LONG = 5_000
"""Entries of the longest ledger: those of the largest debate, and then such as don't count but must be looked at."""

MOST_SEATS = 64

BATCH_SECONDS = 0.02
"""Least time that is measured at once: shorter ones are measured many at a time."""


@dataclass(frozen=True)
class Row:
    """One line of the table; times in microseconds."""

    name: str
    entries: int
    taken: Summary
    baseline: Summary

    def __str__(self) -> str:
        each = self.taken.median / self.entries
        times = self.taken.median / self.baseline.median
        median, p90 = self.taken.median, self.taken.p90
        return f"{self.name:<40}{self.entries:>8}{median:>11.0f}{p90:>11.0f}{each:>11.2f}{times:>9.1f}"


HEADER = f"{'microseconds':<40}{'entries':>8}{'median':>11}{'p90':>11}{'each':>11}{'x JSON':>9}"


def measure(work: Callable[[], object], repeats: int) -> Summary:
    """Return how long one call of `work` takes, in microseconds."""
    begin = time.process_time()
    work()
    number = max(1, round(BATCH_SECONDS / max(time.process_time() - begin, 1e-9)))
    taken = []
    for _ in range(repeats):
        begin = time.process_time()
        for _ in range(number):
            work()
        taken.append((time.process_time() - begin) / number * 1e6)
    return summarise(taken)


def look(task: Task, records: tuple[LedgerRecord, ...]) -> None:
    """Do what the operator does at each event."""
    step(task, fold(task, records), START_MS)


def live_through(task: Task, records: tuple[LedgerRecord, ...]) -> None:
    """Do what a driver does in a whole run."""
    folding = Folding(task)
    for record in records:
        folding.add(record)
        step(task, folding.stand(), START_MS)


def read(lines: list[bytes]) -> None:
    """Read the entries as JSON and no further."""
    for line in lines:
        json.loads(line)


def decode(lines: list[bytes]) -> None:
    """Read the entries as typed messages."""
    for line in lines:
        decode_entry(line)


def lengthen(records: tuple[LedgerRecord, ...], length: int) -> tuple[LedgerRecord, ...]:
    """Return a ledger of that length: before the verdict it holds entries that look like the others and don't count."""
    *own, verdict = records
    strange = [
        LedgerRecord(len(own) + number, f"{own[number % len(own)].key}.{number}", own[number % len(own)].entry)
        for number in range(1, length - len(own))
    ]
    return (*own, *strange, LedgerRecord(length, verdict.key, verdict.entry))


def encode(records: tuple[LedgerRecord, ...]) -> list[bytes]:
    """Return the entries as the bus carries them."""
    return [record.entry.encode() for record in records if record.entry is not None]


def measure_all(repeats: int) -> Iterator[Row]:
    """Yield the rows of the table."""
    for seats, rounds in SIZES:
        task = build_task(ResolvedStrategy.DEBATE, seats, rounds)
        records = record_run(task)
        name = f"{seats} seats, {rounds} rounds"
        yield _compare(f"{name}: a look", records, partial(look, task, records), repeats)
        yield _compare(f"{name}: a run", records, partial(live_through, task, records), repeats)
        if (seats, rounds) == SIZES[0]:
            yield _compare(f"{name}: decoding", records, partial(decode, encode(records)), repeats)
    panel = build_task(ResolvedStrategy.PANEL, MOST_SEATS, 1)
    ballots = record_run(panel)
    yield _compare(f"{MOST_SEATS} seats, all judge: a look", ballots, partial(look, panel, ballots), repeats)
    long = lengthen(records, LONG)
    yield _compare("a long ledger: fold", long, partial(fold, task, long), repeats)


def _compare(name: str, records: tuple[LedgerRecord, ...], work: Callable[[], object], repeats: int) -> Row:
    """Return the time of the work beside that of reading the same entries."""
    baseline = measure(partial(read, encode(records)), repeats)
    return Row(name, len(records), measure(work, repeats), baseline)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="hack/bench/engine", description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=20, help="measurements of each line (default: 20)")
    wanted = parser.parse_args()
    print(HEADER)
    for row in measure_all(wanted.repeats):
        print(row, flush=True)


if __name__ == "__main__":
    main()
