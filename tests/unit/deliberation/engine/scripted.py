"""Tasks, ledgers and whole runs in memory: a driver that does what `step` says, with scripted replies and time."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deliberation.api.v1alpha1.deliberation import DEFAULT_CRITERIA, Answer, AnswerType, Criterion
from deliberation.engine.asks import Ask
from deliberation.engine.fold import fold
from deliberation.engine.parse import read_reply
from deliberation.engine.reading import build_listing
from deliberation.engine.standing import Standing
from deliberation.engine.step import Finish, Record, Work, step
from deliberation.protocol.chat import Reply
from deliberation.protocol.entries import Ballot, LedgerEntry, LedgerRecord, Proposal, Score, Stage, Usage, Verdict
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, SeatTask, Task

START_MS = 1_000_000
TIMEOUT_MS = 10_000
DEADLINE_MS = START_MS + TIMEOUT_MS

CRITERIA = DEFAULT_CRITERIA
ONE_CRITERION = (Criterion(name="quality", weight_milli=1000),)
CHOICE = Answer(type=AnswerType.CHOICE, choices=("left", "right", "up", "down"))
NUMBER = Answer(type=AnswerType.NUMBER)
BOOLEAN = Answer(type=AnswerType.BOOLEAN)


def build_task(seats: int = 3, strategy: ResolvedStrategy = ResolvedStrategy.PANEL, **changes: Any) -> Task:
    """Return a task of seats s-0, s-1, ... whose quorum is more than half of them."""
    fields: dict[str, Any] = {
        "namespace": "here",
        "deliberation_uid": "uid-1",
        "deliberation_name": "which-way",
        "council_uid": "uid-2",
        "council_name": "council",
        "question": "Which way?",
        "criteria": CRITERIA,
        "strategy": strategy,
        "seats": tuple(SeatTask(id=f"s-{i}", member="s", role="Developer", model="small") for i in range(seats)),
        "models": (ModelAddress(name="small", base_url="http://model/v1", model_name="tiny"),),
        "quorum": seats // 2 + 1,
        "started_at_ms": START_MS,
        "timeout_ms": TIMEOUT_MS,
    }
    return Task(**(fields | changes))


def build_vote(seats: int = 3, **changes: Any) -> Task:
    return build_task(seats, ResolvedStrategy.VOTE, **({"answer": CHOICE} | changes))


def propose(seat: str, answer: str = "left", tokens: int = 10) -> Proposal:
    return Proposal(
        seat=seat, answer=answer, usage=Usage(calls=1, prompt_tokens=100, cached_tokens=64, completion_tokens=tokens)
    )


def ballot(judge: str, scores: Mapping[str, int | Mapping[str, int]], task: Task | None = None) -> Ballot:
    """Return a ballot that gives each seat one number for all criteria, or one for each."""
    criteria = task.criteria if task else CRITERIA
    return Ballot(
        judge=judge,
        scores=tuple(
            Score(
                proposal=seat,
                criteria={c.name: given for c in criteria} if isinstance(given, int) else dict(given),
            )
            for seat, given in scores.items()
        ),
        usage=Usage(calls=1, prompt_tokens=300, cached_tokens=128, completion_tokens=30),
    )


def record_all(*entries: LedgerEntry) -> list[LedgerRecord]:
    """Return the entries as a ledger holds them, in the order of writing."""
    return [LedgerRecord(sequence, entry.key, entry) for sequence, entry in enumerate(entries, 1)]


def stand(task: Task, *entries: LedgerEntry) -> Standing:
    return fold(task, record_all(*entries))


@dataclass
class Ledger:
    """A ledger that takes one entry per key, and says whether it was the first."""

    records: list[LedgerRecord] = field(default_factory=list)

    def write(self, entry: LedgerEntry) -> bool:
        return self.inject(entry.key, entry)

    def inject(self, key: str, entry: LedgerEntry | None) -> bool:
        if any(record.key == key for record in self.records):
            return False
        self.records.append(LedgerRecord(len(self.records) + 1, key, entry))
        return True


@dataclass(frozen=True)
class Answered:
    """What a scripted model says, and how long it takes."""

    text: str
    after_ms: int = 0
    finish_reason: str = "stop"


Script = Callable[[Ask, Mapping[str, Proposal]], Answered | None]
"""What becomes of an ask, given the proposals under the labels that its seat sees; None: no reply ever comes."""


class CrashError(Exception):
    """The driver died."""


class Driver:
    """Does what `step` says until the end. `calls` outlives crashes: it is what was asked of the models."""

    def __init__(self, task: Task, ledger: Ledger, script: Script, now_ms: int = START_MS) -> None:
        self.task = task
        self.ledger = ledger
        self.script = script
        self.now_ms = now_ms
        self.calls: Counter[Ask] = Counter()
        self.in_flight: dict[Ask, tuple[int, Answered | None]] = {}
        self.writes_left: int | None = None

    def run(self) -> Verdict:
        """Go on to the end and return the verdict that stands in the ledger."""
        for _ in range(10_000):
            standing = fold(self.task, self.ledger.records)
            match step(self.task, standing, self.now_ms):
                case Finish(verdict):
                    if standing.verdict is not None:
                        return verdict
                    self._write(verdict)
                case Record(entries):
                    for entry in entries:
                        self._write(entry)
                case Work() as work:
                    self._work(work, standing)
        raise AssertionError("the run does not come to an end")

    def run_in_spite_of_crashes(self, writes_per_life: int) -> Verdict:
        """Go on to the end though the driver dies, and forgets its calls, after every so many writes."""
        while True:
            self.in_flight.clear()
            self.writes_left = writes_per_life
            try:
                return self.run()
            except CrashError:
                continue

    def _work(self, work: Work, standing: Standing) -> None:
        for ask in work.asks:
            if ask not in self.in_flight:
                self.calls[ask] += 1
                listing = {} if ask.stage is Stage.PROPOSE else build_listing(self.task, standing, ask)
                answered = self.script(ask, listing)
                done_ms = self.now_ms + answered.after_ms if answered else work.until_ms + 1
                self.in_flight[ask] = done_ms, answered
        ask = min(work.asks, key=lambda ask: self.in_flight[ask][0])
        done_ms, answered = self.in_flight[ask]
        self.now_ms = max(self.now_ms, min(done_ms, work.until_ms))
        if answered and done_ms <= work.until_ms:
            reply = Reply(answered.text, answered.finish_reason, Usage(calls=1, completion_tokens=7))
            self._write(read_reply(self.task, standing, ask, reply))

    def _write(self, entry: LedgerEntry) -> None:
        self.ledger.write(entry)
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left == 0:
                raise CrashError


def criticise_all(ask: Ask, listing: Mapping[str, Proposal]) -> Answered:
    """Find every answer of the others too short."""
    return Answered(
        json.dumps({label: "too short" for label, proposal in listing.items() if proposal.seat != ask.seat})
    )


def score_by_length(ask: Ask, listing: Mapping[str, Proposal], after_ms: int = 0) -> Answered:
    """Judge as one who likes long answers: from 1 to 5 by the number of characters."""
    scores: dict[str, Any] = {
        label: {criterion.name: max(1, min(5, len(proposal.answer))) for criterion in CRITERIA}
        for label, proposal in listing.items()
        if proposal.seat != ask.seat
    }
    return Answered(json.dumps({"rationale": "by length"} | scores), after_ms)
