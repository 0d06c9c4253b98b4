"""A recorded ledger of each strategy is told in the same words for ever: byte by byte the status in `replays/`.

After a change on purpose, write the statuses anew with WRITE_REPLAYS=status and read the difference. The ledgers are
recordings, and only written anew (WRITE_REPLAYS=all) when a strategy is to be recorded otherwise.
"""

import json
import os
from pathlib import Path

import pytest
import yaml

from council_operator.plan.observed import DeliberationObserved
from council_operator.status.deliberation import summarise
from deliberation.bus.memory import MemoryBus
from deliberation.protocol.entries import LedgerRecord, decode_entry
from deliberation.protocol.messages import decode
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task
from deliberation.runner.driver import Driver
from deliberation.runner.seat import Seat
from fakes.bodies import deliberation
from fakes.every_strategy import TASKS
from fakes.fake_clock import FakeClock
from fakes.simulated_chat import SimulatedChat

REPLAYS = Path(__file__).parent / "replays"
WRITE = os.environ.get("WRITE_REPLAYS", "")


async def record(task: Task, folder: Path) -> str:
    """Return a run of the task on a simulated model: the task on the first line, then one entry on each."""
    bus, clock = MemoryBus(), FakeClock()
    await Driver(task, "runner", bus, Seat(bus, SimulatedChat(one_by_one=True), folder, clock), clock).run()
    records = await bus.read_ledger(Run(task.namespace, task.deliberation_uid))
    lines = [{"key": one.key, "entry": json.loads(one.entry.encode())} for one in records if one.entry]
    return "".join(f"{json.dumps(line, sort_keys=True)}\n" for line in (json.loads(task.encode()), *lines))


def replay(recording: str) -> str:
    """Return the status of a recorded run, as the operator writes it."""
    head, *lines = recording.splitlines()
    task = decode(Task, head.encode())
    ledger = tuple(
        LedgerRecord(number, line["key"], decode_entry(json.dumps(line["entry"]).encode()))
        for number, line in enumerate(map(json.loads, lines), 1)
    )
    observed = DeliberationObserved(deliberation(), task=task, ledger=ledger, now_ms=task.started_at_ms + 1000)
    return yaml.safe_dump(summarise(observed), sort_keys=False, allow_unicode=True, width=120)


@pytest.mark.parametrize("name", TASKS)
async def test_a_recorded_run_has_the_status_that_it_had(name: str, tmp_path: Path) -> None:
    stem = name.replace(" ", "-")
    recording, status = REPLAYS / f"{stem}.jsonl", REPLAYS / f"{stem}.yaml"
    if WRITE == "all":
        recording.write_text(await record(TASKS[name], tmp_path))
    told = replay(recording.read_text())
    if WRITE:
        status.write_text(told)
    assert told == status.read_text()
