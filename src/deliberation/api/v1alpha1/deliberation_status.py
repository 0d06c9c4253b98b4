"""What the operator reports of a Deliberation: at most 32 KiB, whatever the models write."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from deliberation.api.v1alpha1.base import Conditions, ShortText, StatusModel
from deliberation.api.v1alpha1.deliberation_record import Reproducibility, TranscriptReference, UsageStatus
from deliberation.api.v1alpha1.deliberation_result import (
    Agreement,
    Baseline,
    Bias,
    Dissent,
    Diversity,
    EffectiveVotes,
    RankedProposal,
    Result,
    Votes,
)

MAX_ANSWER_LINE = 60
"""Most characters of the answer in a table of Deliberations."""


class Phase(StrEnum):
    """Where a Deliberation is; for people only, derived from conditions and the ledger."""

    PENDING = "Pending"
    WARMING = "Warming"
    QUEUED = "Queued"
    SUSPENDED = "Suspended"
    DELIBERATING = "Deliberating"
    RANKING = "Ranking"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class PlaceInQueue(StatusModel):
    """Where a Deliberation waits."""

    position: int
    """Place in the queue of its Council, 1 being the next; above 2 rounded up to 5, 10, 20, 50, 100 and so on"""


class OwnRunner(StatusModel):
    """The runner of one Deliberation, where its Council has `runner.mode: PerDeliberation`."""

    ray_job: Annotated[str, Field(max_length=47)]
    """RayJob that runs its seats, or did so last"""
    attempt: int
    """How many RayJobs it has had since it was admitted, or went on after a suspension"""


class Progress(StatusModel):
    """How far the run is."""

    stage: ShortText
    """propose, judge, aggregate or finished"""
    proposals: int = 0
    """Valid proposals so far"""
    expected: int = 0
    """Proposals that the Council can give: one of each seat, or as many as `samples`"""
    ballots: int = 0
    """Ballots so far"""
    abstentions: int = 0
    """Seats that gave nothing usable, counted once in each stage"""


class ResolvedStrategy(StatusModel):
    """Which strategy ran, and why."""

    resolved: ShortText
    """The strategy that runs"""
    reason: ShortText
    """Why it was chosen"""


class DeliberationStatus(StatusModel):
    """What the operator reports."""

    observed_generation: int = -1
    """Generation of the spec that this status is about; -1 before the operator has seen it"""
    phase: Phase = Phase.PENDING
    conditions: Conditions = ()
    """What is so and what is not; Succeeded is the one to wait for"""
    start_time: Annotated[str | None, Field(json_schema_extra={"format": "date-time"})] = None
    """The timeout counts from here: the first waiting for the Council, or admission"""
    completion_time: Annotated[str | None, Field(json_schema_extra={"format": "date-time"})] = None
    """Verdict"""
    attempt: int = 1
    """Number of the run"""
    council: Annotated[str | None, Field(max_length=63)] = None
    """uid of the Council that took the question"""
    queue: PlaceInQueue | None = None
    """Where it waits; absent before and after that"""
    runner: OwnRunner | None = None
    """Its own runner, where its Council keeps none"""
    progress: Progress | None = None
    """How far the run is"""
    strategy: ResolvedStrategy | None = None
    """Which strategy runs, and why"""
    simulated: bool = False
    """true if any model of the Council only pretended"""
    answer: Annotated[str | None, Field(max_length=MAX_ANSWER_LINE)] = None
    """Beginning of the result's answer on one line, for people only"""
    result: Result | None = None
    """The answer of the Council; absent before the end"""
    proposals: Annotated[tuple[RankedProposal, ...], Field(max_length=10)] = ()
    """The topK proposals, best first"""
    votes: Votes | None = None
    """How the seats voted"""
    dissent: Annotated[tuple[Dissent, ...], Field(max_length=64)] = ()
    """What others hold than the result: every answer that lost, the one with the most seats first"""
    agreement: Agreement | None = None
    """How much the seats agree"""
    diversity: Diversity | None = None
    """How much the proposals differ"""
    effective_votes: EffectiveVotes | None = None
    """How many independent votes the proposals are worth"""
    bias: Bias | None = None
    """What may have swayed the judges"""
    baseline: Baseline | None = None
    """Debate: what a vote before the first exchange would have given"""
    warnings: Annotated[tuple[ShortText, ...], Field(max_length=16)] = ()
    """What to know before trusting the result"""
    usage: UsageStatus | None = None
    """What it cost"""
    reproducibility: Reproducibility | None = None
    """What another run needs to be comparable"""
    transcript_ref: TranscriptReference | None = None
    """Where every entry of the run lies"""
