"""What the operator reports of a Deliberation: at most 32 KiB, whatever the models write."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from deliberation.api.v1alpha1.base import Conditions, StatusModel, by_name

MAX_ANSWER_BYTES = 2048
"""Longest answer shown in full, in bytes of UTF-8; the whole text stays in the ledger under its digest."""

MAX_RATIONALE_BYTES = 1024

MAX_ANSWER_LINE = 60
"""Most characters of the answer in a table of Deliberations."""

Id = Annotated[str, Field(max_length=63)]
ShortText = Annotated[str, Field(max_length=256)]


class Phase(StrEnum):
    """Where a Deliberation is; for people only, derived from conditions and the ledger."""

    PENDING = "Pending"
    WARMING = "Warming"
    QUEUED = "Queued"
    DELIBERATING = "Deliberating"
    RANKING = "Ranking"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class Progress(StatusModel):
    """How far the run is."""

    stage: ShortText
    proposals: int = 0
    expected: int = 0
    ballots: int = 0
    abstentions: int = 0


class ResolvedStrategy(StatusModel):
    """Which strategy ran, and why."""

    resolved: ShortText
    reason: ShortText


class Result(StatusModel):
    """The answer of the Council."""

    answer: Annotated[str, Field(max_length=MAX_ANSWER_BYTES)]
    type: ShortText
    proposal_id: Annotated[Id, Field(description="The proposal that the answer comes from")]
    rationale: Annotated[str, Field(max_length=MAX_RATIONALE_BYTES)] = ""
    tied: Annotated[bool, Field(description="true if another answer did as well; the order then decides nothing")] = (
        False
    )


class CriterionScore(StatusModel):
    """How judges scored one criterion of one proposal."""

    name: Id
    mean_milli: Annotated[int, Field(description="Mean of the raw scores, 1000 to 5000")]
    ballots: int


class RankedProposal(StatusModel):
    """One proposal, with what the others made of it."""

    id: Id
    rank: int
    tied_with: Annotated[tuple[Id, ...], Field(max_length=64)] = ()
    member: Id
    seat: Id
    model: ShortText
    answer: Annotated[str, Field(max_length=MAX_ANSWER_BYTES)]
    truncated: Annotated[bool, Field(description="true if the answer is longer; the whole lies in the ledger")] = False
    sha256: Annotated[str, Field(max_length=64, description="Digest of the whole answer")]
    score_milli: Annotated[int | None, Field(description="Panel: mean of the judges' z-scores; 0 is average")] = None
    stderr_milli: Annotated[
        int | None, Field(description="Panel: standard error of the score; absent with one ballot")
    ] = None
    criteria: Annotated[tuple[CriterionScore, ...], Field(max_length=8, json_schema_extra=by_name())] = ()
    ballots: Annotated[int, Field(description="Ballots that scored it")] = 0
    votes_milli: Annotated[int | None, Field(description="Vote: weight of the seats that gave this answer")] = None
    tokens: int = 0


class AbstentionStatus(StatusModel):
    """A seat that gave nothing usable, and why."""

    seat: Id
    stage: ShortText
    reason: ShortText
    message: ShortText = ""


class AnswerCount(StatusModel):
    """How many seats gave one answer."""

    answer: Annotated[str, Field(max_length=256)]
    seats: int
    weight_milli: int


class Votes(StatusModel):
    """How the seats voted."""

    counts: Annotated[tuple[AnswerCount, ...], Field(max_length=26)] = ()
    winner_share_milli: int | None = None
    margin_milli: Annotated[
        int | None, Field(description="Lead of the winner over the runner-up, as a share of all votes")
    ] = None
    abstentions: Annotated[tuple[AbstentionStatus, ...], Field(max_length=64)] = ()


class Agreement(StatusModel):
    """How much the judges agree."""

    summary: Annotated[ShortText, Field(description="For people: W=0.84, or the winner's share of votes")]
    kendall_w_milli: Annotated[
        int | None, Field(description="Kendall's W over the judges' rankings, corrected for ties")
    ] = None
    judges: int = 0


class StageUsage(StatusModel):
    """Calls and tokens of one stage."""

    name: Id
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class UsageStatus(StatusModel):
    """Calls, tokens and time of the whole Deliberation."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    by_stage: Annotated[tuple[StageUsage, ...], Field(max_length=8, json_schema_extra=by_name())] = ()
    wall_milliseconds: Annotated[int | None, Field(description="From admission to the verdict")] = None


class ModelRecord(StatusModel):
    """One model that took part."""

    name: Id
    model: ShortText
    revision: Annotated[str | None, Field(max_length=128)] = None
    simulated: bool = False


class Reproducibility(StatusModel):
    """What another run needs to be comparable."""

    seed: int
    prompt_sha256: Annotated[str, Field(max_length=64, description="Digest of the text that all seats share")]
    engine_version: ShortText
    models: Annotated[tuple[ModelRecord, ...], Field(max_length=8, json_schema_extra=by_name())] = ()


class TranscriptReference(StatusModel):
    """Where every entry of the run lies."""

    stream: ShortText
    subject: ShortText


class DeliberationStatus(StatusModel):
    """What the operator reports."""

    observed_generation: int = -1
    phase: Phase = Phase.PENDING
    conditions: Conditions = ()
    start_time: Annotated[
        str | None,
        Field(json_schema_extra={"format": "date-time"}, description="Admission: the timeout counts from here"),
    ] = None
    completion_time: Annotated[str | None, Field(json_schema_extra={"format": "date-time"})] = None
    attempt: int = 1
    council: Annotated[str | None, Field(max_length=63, description="uid of the Council that took the question")] = None
    progress: Progress | None = None
    strategy: ResolvedStrategy | None = None
    simulated: Annotated[bool, Field(description="true if any model of the Council only pretended")] = False
    answer: Annotated[
        str | None,
        Field(max_length=MAX_ANSWER_LINE, description="Beginning of the result's answer on one line, for people only"),
    ] = None
    result: Result | None = None
    proposals: Annotated[tuple[RankedProposal, ...], Field(max_length=10)] = ()
    votes: Votes | None = None
    agreement: Agreement | None = None
    warnings: Annotated[tuple[ShortText, ...], Field(max_length=16)] = ()
    usage: UsageStatus | None = None
    reproducibility: Reproducibility | None = None
    transcript_ref: TranscriptReference | None = None
