"""Ledgers of whole runs, as a simulated model would have them written: the same ones every time, made without I/O."""

from hashlib import sha256

from deliberation.api.v1alpha1.deliberation import DEFAULT_CRITERIA, Answer, AnswerType
from deliberation.engine.asks import Ask
from deliberation.engine.fold import fold
from deliberation.engine.parse import read_reply
from deliberation.engine.request import build_request
from deliberation.engine.standing import Standing
from deliberation.engine.step import Finish, Record, step
from deliberation.models.simulated.answering import Asked, Traits, answer
from deliberation.protocol.chat import Reply
from deliberation.protocol.entries import LedgerEntry, LedgerRecord, Start, Usage
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, SeatTask, Task

START_MS = 1_000_000
ROLES = ("Developer", "QA", "Architect", "DevOps", "Data")
CHOICES = ("red", "green", "blue")
TRAITS = Traits(accuracy_percent=60)


def build_task(strategy: ResolvedStrategy, seats: int, rounds: int) -> Task:
    """Return a task of that many seats; a Panel is about a text, every other strategy about a choice."""
    closed = strategy is not ResolvedStrategy.PANEL
    return Task(
        namespace="bench",
        deliberation_uid="deliberation",
        deliberation_name="bench",
        council_uid="council",
        council_name="bench",
        question="Which colour?",
        criteria=DEFAULT_CRITERIA,
        answer=Answer(type=AnswerType.CHOICE, choices=CHOICES) if closed else Answer(),
        strategy=strategy,
        rounds=rounds,
        keep_if_majority=False,
        seats=tuple(
            SeatTask(id=f"seat-{index}", member="seat", role=ROLES[index % len(ROLES)], model="small")
            for index in range(seats)
        ),
        models=(ModelAddress(name="small", base_url="http://model/v1", model_name="simulated", simulated=True),),
        quorum=seats // 2 + 1,
        started_at_ms=START_MS,
        timeout_ms=600_000,
    )


def record_run(task: Task) -> tuple[LedgerRecord, ...]:
    """Return the ledger of a run from its start to its verdict."""
    records = [LedgerRecord(1, "start", Start(runner="bench", at_ms=START_MS))]
    while True:
        standing = fold(task, records)
        match step(task, standing, START_MS):
            case Finish(verdict):
                return tuple(_append(records, (verdict,)))
            case Record(entries):
                _append(records, entries)
            case work:
                _append(records, tuple(_answer(task, standing, ask) for ask in work.asks))


def _append(records: list[LedgerRecord], entries: tuple[LedgerEntry, ...]) -> list[LedgerRecord]:
    records += [LedgerRecord(sequence, one.key, one) for sequence, one in enumerate(entries, len(records) + 1)]
    return records


def _answer(task: Task, standing: Standing, ask: Ask) -> LedgerEntry:
    request = build_request(task, standing, ask)
    [message] = request.messages
    identity = sha256(f"{ask.key}/{message['content']}".encode()).hexdigest()
    text = answer(TRAITS, Asked(identity, str(message["content"]), request.schema))
    usage = Usage(calls=1, prompt_tokens=100, completion_tokens=10)
    return read_reply(task, standing, ask, Reply(text=text, finish_reason="stop", usage=usage))
