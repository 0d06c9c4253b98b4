"""What came out of a Deliberation: the answer, what else was proposed, and how far to trust it."""

from typing import Annotated

from pydantic import Field

from deliberation.api.v1alpha1.base import Id, ShortText, StatusModel, by_name

MAX_ANSWER_BYTES = 2048
"""Longest answer shown in full, in bytes of UTF-8; the whole text stays in the ledger under its digest."""

MAX_RATIONALE_BYTES = 1024


class Result(StatusModel):
    """The answer of the Council."""

    answer: Annotated[str, Field(max_length=MAX_ANSWER_BYTES)]
    """The answer, cut to 2 KiB"""
    type: ShortText
    """The question's answer.type"""
    unit: Annotated[str | None, Field(max_length=16)] = None
    """Unit of a number, as the question's answer.unit declares it"""
    proposal_id: Id | None = None
    """The proposal that the answer comes from; absent where it was synthesised"""
    synthesised: bool = False
    """true if a seat wrote the answer from the best proposals"""
    rationale: Annotated[str, Field(max_length=MAX_RATIONALE_BYTES)] = ""
    """Why, in the words of the proposal, cut to 1 KiB"""
    tied: bool = False
    """true if another answer did as well; the order then decides nothing"""


class CriterionScore(StatusModel):
    """How judges scored one criterion of one proposal."""

    name: Id
    """Name of the criterion"""
    mean_milli: int
    """Mean of the raw scores, 1000 to 5000"""
    ballots: int
    """Ballots that scored it"""


class RankedProposal(StatusModel):
    """One proposal, with what the others made of it."""

    id: Id
    """The proposal, told apart from all others of the Deliberation"""
    rank: int
    """Place, 1 being the best; proposals that tie share one"""
    tied_with: Annotated[tuple[Id, ...], Field(max_length=64)] = ()
    """Proposals among these that share the rank but answer otherwise"""
    member: Id
    """Member whose seat proposed it"""
    seat: Id
    """Seat that proposed it"""
    model: ShortText
    """Model that the seat asked"""
    answer: Annotated[str, Field(max_length=MAX_ANSWER_BYTES)]
    """The answer, cut to 2 KiB or, where there is much to show, to less"""
    truncated: bool = False
    """true if the answer is longer; the whole lies in the ledger"""
    sha256: Annotated[str, Field(max_length=64)]
    """Digest of the whole answer"""
    score_milli: int | None = None
    """Judged: mean of the judges' z-scores; 0 is average"""
    stderr_milli: int | None = None
    """Judged: standard error of the score; absent with one judge"""
    criteria: Annotated[tuple[CriterionScore, ...], Field(max_length=8, json_schema_extra=by_name())] = ()
    """Judged: scores by criterion"""
    ballots: int = 0
    """Judges that its score rests on"""
    first_place_votes: int | None = None
    """Judged: judges that put no other above it"""
    pairwise_wins: int | None = None
    """Judged: proposals that it beats by a majority of the judges"""
    votes_milli: int | None = None
    """Counted: weight of the seats that gave this answer"""
    tokens: int = 0
    """Tokens that the seat wrote for it"""


class AbstentionStatus(StatusModel):
    """A seat that gave nothing usable, and why."""

    seat: Id
    """The seat"""
    stage: ShortText
    """What it was asked to do: propose, critique, exchange, judge or synthesise"""
    round: int = 0
    """In which round; 0 is the first"""
    reason: ShortText
    """Why it gave nothing, as one word"""
    message: ShortText = ""
    """Why, for people"""


class AnswerCount(StatusModel):
    """How many seats gave one answer."""

    answer: Annotated[str, Field(max_length=256)]
    """The answer, cut to 256 characters"""
    seats: int
    """Seats that gave it"""
    weight_milli: int
    """Weight of these seats, in thousandths"""


class Votes(StatusModel):
    """How the seats voted."""

    counts: Annotated[tuple[AnswerCount, ...], Field(max_length=26)] = ()
    """Counted: answers, the one with the most weight first"""
    winner_share_milli: int | None = None
    """Share of all votes, by weight, that the winner has, in thousandths"""
    margin_milli: int | None = None
    """Lead of the winner over the runner-up, as a share of all votes"""
    abstentions: Annotated[tuple[AbstentionStatus, ...], Field(max_length=64)] = ()
    """Seats that gave nothing usable; progress.abstentions has their number where not all are shown"""


class Dissent(StatusModel):
    """What some seats hold against the result."""

    seats: Annotated[tuple[Id, ...], Field(max_length=64)]
    """Seats that proposed it, or the first of them where there is much to show"""
    proposals: int
    """Proposals that say it"""
    position: Annotated[str, Field(max_length=256)] = ""
    """The beginning of what they answer"""
    reason: Annotated[str, Field(max_length=256)] = ""
    """The beginning of the reasons that one of them gave"""


class Baseline(StatusModel):
    """What a vote before the first exchange would have given."""

    answer: Annotated[str, Field(max_length=256)]
    """The answer with the most weight then, cut to 256 characters"""
    winner_share_milli: int
    """Share of all votes, by weight, that it had"""
    margin_milli: int
    """Its lead over the runner-up, as a share of all votes"""
    changed: bool
    """true if the exchange led to another answer"""


class Agreement(StatusModel):
    """How much the judges, or the voters, agree."""

    summary: ShortText
    """For people: W=0.84, or the winner's share of votes"""
    kendall_w_milli: int | None = None
    """Kendall's W of the judges' rankings, own proposals left out, ties corrected; 1000 if all follow one order"""
    pairwise_milli: int | None = None
    """How often two judges order two proposals alike, or two voters give one answer, in thousandths"""
    condorcet_winner: Id | None = None
    """The proposal that beats every other one by a majority of the judges, if there is one"""
    cycle: bool = False
    """true if the judges' majorities go round in a circle, so that the order depends on the rule"""
    judges: int = 0
    """Judges that the measures rest on"""


class Diversity(StatusModel):
    """How much the proposals differ: agreement among echoes confirms nothing."""

    mean_distance_milli: int | None = None
    """Mean share of three-word sequences that two answers, or the reasons for closed ones, do not have in common"""
    clusters: int
    """Answers that say different things"""
    models: int
    """Models, by their weights, that proposed"""


class EffectiveVotes(StatusModel):
    """How many independent votes the proposals are worth."""

    upper_bound: int
    """Models, by their weights, that proposed: seats of one model err together"""


class Bias(StatusModel):
    """What may have swayed the judges."""

    position_consistency_milli: int | None = None
    """How often judges ordered two proposals alike when they read them in the other order, in thousandths"""
    length_score_correlation_milli: int | None = None
    """Rank correlation of a proposal's length and score; longer answers may also be better"""
