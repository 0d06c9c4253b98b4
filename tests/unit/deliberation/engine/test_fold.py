import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine.asks import Ask
from deliberation.engine.fold import fold
from deliberation.protocol.entries import (
    Abstention,
    Cancel,
    Critique,
    LedgerEntry,
    LedgerRecord,
    Outcome,
    Stage,
    Start,
    Suspend,
    Synthesis,
    Verdict,
)
from deliberation.protocol.tasks import ResolvedStrategy
from unit.deliberation.engine.scripted import ballot, build_task, build_vote, propose, record_all, stand

TASK = build_task(3)


def abstain(seat: str, stage: Stage = Stage.PROPOSE) -> Abstention:
    return Abstention(seat=seat, stage=stage, reason=AbstentionReason.MALFORMED_ANSWER)


def all_proposals() -> tuple[LedgerEntry, ...]:
    return tuple(propose(f"s-{i}") for i in range(3))


def test_an_empty_ledger_stands_at_the_beginning() -> None:
    standing = fold(TASK, ())
    assert (standing.started, standing.cancelled, standing.verdict) == (None, False, None)
    assert (standing.proposals, standing.ballots, standing.abstentions, standing.rejected) == ({}, {}, {}, {})


def test_every_kind_of_entry_is_taken_in() -> None:
    standing = stand(
        TASK,
        Start(runner="r", at_ms=5),
        *all_proposals(),
        ballot("s-0", {"s-1": 3, "s-2": 4}),
        abstain("s-1", Stage.JUDGE),
        Cancel(),
    )
    assert standing.started == Start(runner="r", at_ms=5)
    assert standing.cancelled
    assert list(standing.proposals) == ["s-0", "s-1", "s-2"]
    assert list(standing.ballots) == [("s-0", 0)]
    assert list(standing.abstentions) == [Ask(Stage.JUDGE, "s-1")]
    assert standing.rejected == {}


@pytest.mark.parametrize(("number", "resumed", "expected"), [(0, 0, True), (0, 1, False), (1, 1, True), (1, 0, True)])
def test_a_suspension_stops_the_task_of_its_time(number: int, resumed: int, *, expected: bool) -> None:
    task = TASK.model_copy(update={"resumed": resumed})
    standing = stand(task, propose("s-0"), Suspend(number=number))
    assert (standing.suspended, standing.rejected) == (expected, {})
    assert list(standing.proposals) == ["s-0"]


def test_a_suspension_that_cannot_be_read_is_one() -> None:
    assert fold(TASK, [LedgerRecord(1, "suspend", None)]).suspended
    assert not fold(TASK, [LedgerRecord(1, "suspend.1", None)]).suspended


def test_seats_stand_in_the_order_of_the_task_not_of_arrival() -> None:
    assert list(stand(TASK, propose("s-2"), propose("s-0")).proposals) == ["s-0", "s-2"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (LedgerRecord(9, "proposal.0.s-0.0", None), "Malformed"),
        (LedgerRecord(9, "proposal.0.s-1.0", propose("s-0")), "Misplaced"),
        (LedgerRecord(9, "proposal.0.stranger.0", propose("stranger")), "Foreign"),
        (LedgerRecord(9, "proposal.1.s-0.0", propose("s-0").model_copy(update={"round": 1})), "Foreign"),
        (LedgerRecord(9, "proposal.0.s-0.0", propose("s-0", "  ")), "Malformed"),
        (LedgerRecord(9, "abstention.propose.0.stranger.0", abstain("stranger")), "Foreign"),
        (LedgerRecord(9, "abstention.judge.0.s-0.0", abstain("s-0", Stage.JUDGE)), "Foreign"),
        (LedgerRecord(9, "ballot.0.s-0.0", ballot("s-0", {"s-1": 3, "s-2": 3})), "Foreign"),
    ],
)
def test_what_does_not_belong_is_counted_and_changes_nothing(record: LedgerRecord, reason: str) -> None:
    standing = fold(TASK, [record])
    assert standing.rejected == {reason: 1}
    assert not standing.proposals
    assert not standing.abstentions


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (ballot("s-0", {"s-0": 5, "s-1": 3, "s-2": 3}), "Foreign"),
        (ballot("s-0", {"s-1": 3, "stranger": 3}), "Foreign"),
        (ballot("stranger", {"s-1": 3, "s-2": 3}), "Foreign"),
        (ballot("s-0", {"s-1": {"beauty": 3}, "s-2": {"beauty": 3}}), "Foreign"),
        (ballot("s-0", {"s-1": 3, "s-2": 3}).model_copy(update={"order": 1}), "Foreign"),
        (ballot("s-0", {"s-1": 3, "s-2": 3}).model_copy(update={"round": 1}), "Foreign"),
        (ballot("s-0", {"s-1": 3}), "Malformed"),
        (ballot("s-0", {"s-1": 3, "s-2": {"clarity": 3}}), "Malformed"),
    ],
)
def test_a_ballot_scores_every_other_proposal_by_every_criterion_and_nothing_else(
    entry: LedgerEntry, reason: str
) -> None:
    standing = stand(TASK, *all_proposals(), entry)
    assert not standing.ballots
    assert standing.rejected == {reason: 1}
    assert standing.spoiled == {entry.key}


def test_a_ballot_that_scores_one_proposal_twice_is_malformed() -> None:
    twice = ballot("s-0", {"s-1": 3, "s-2": 3})
    twice = twice.model_copy(update={"scores": (*twice.scores, twice.scores[0])})
    assert stand(TASK, *all_proposals(), twice).rejected == {"Malformed": 1}


def test_nobody_judges_before_all_proposals_are_in() -> None:
    early = ballot("s-0", {"s-1": 3})
    standing = stand(TASK, propose("s-0"), propose("s-1"), early, propose("s-2"))
    assert not standing.ballots
    assert standing.rejected == {"Foreign": 1}


def test_an_answer_of_the_wrong_form_is_malformed() -> None:
    assert stand(build_vote(), propose("s-0", "sideways")).rejected == {"Malformed": 1}


def test_of_what_a_seat_writes_in_a_stage_the_first_counts() -> None:
    standing = stand(TASK, propose("s-0"), abstain("s-0"), abstain("s-1"), propose("s-1"), propose("s-2"))
    assert list(standing.proposals) == ["s-0", "s-2"]
    assert list(standing.abstentions) == [Ask(Stage.PROPOSE, "s-1")]
    assert standing.rejected == {"Duplicate": 2}


def test_a_judge_s_ballot_after_its_abstention_does_not_count() -> None:
    standing = stand(TASK, *all_proposals(), abstain("s-0", Stage.JUDGE), ballot("s-0", {"s-1": 3, "s-2": 4}))
    assert not standing.ballots
    assert standing.rejected == {"Duplicate": 1}


@pytest.mark.parametrize("entry", [Start(runner="other", at_ms=9), Cancel(), propose("s-0", "other")])
def test_a_second_entry_in_one_place_is_a_duplicate(entry: LedgerEntry) -> None:
    first = stand(TASK, Start(runner="r", at_ms=5), Cancel(), propose("s-0"))
    again = stand(TASK, Start(runner="r", at_ms=5), Cancel(), propose("s-0"), entry)
    assert again.rejected == {"Duplicate": 1}
    assert (again.started, again.cancelled, again.proposals) == (first.started, first.cancelled, first.proposals)


def test_a_broken_record_in_a_place_that_is_taken_does_not_spoil_it() -> None:
    standing = fold(TASK, [*record_all(propose("s-0")), LedgerRecord(2, "proposal.0.s-0.0", None)])
    assert not standing.spoiled
    assert standing.rejected == {"Malformed": 1}


def test_an_unreadable_abstention_is_one() -> None:
    standing = fold(TASK, [LedgerRecord(1, "abstention.propose.0.s-0.0", None), *_later(propose("s-0"))])
    assert Ask(Stage.PROPOSE, "s-0") not in standing.missing
    assert not standing.proposals


def _later(*entries: LedgerEntry) -> list[LedgerRecord]:
    return [LedgerRecord(1000 + number, entry.key, entry) for number, entry in enumerate(entries)]


VERDICT = Verdict(outcome=Outcome.SUCCEEDED, counted=("proposal.0.s-0.0", "proposal.0.s-1.0"), decided_at_ms=7)


def test_the_verdict_says_what_counts() -> None:
    standing = stand(TASK, propose("s-0"), propose("s-2"), abstain("s-1"), propose("s-1"), VERDICT, Cancel())
    assert list(standing.proposals) == ["s-0"]
    assert not standing.abstentions
    assert not standing.cancelled
    assert standing.verdict == VERDICT
    assert standing.rejected == {"Duplicate": 1, "Late": 3}


def test_a_ballot_about_a_proposal_that_does_not_count_does_not_count() -> None:
    counted = ("proposal.0.s-0.0", "proposal.0.s-1.0", "ballot.0.s-0.0")
    verdict = VERDICT.model_copy(update={"counted": counted})
    assert not stand(TASK, *all_proposals(), ballot("s-0", {"s-1": 3, "s-2": 4}), verdict).ballots


def test_a_second_verdict_is_late() -> None:
    other = VERDICT.model_copy(update={"outcome": Outcome.CANCELLED})
    standing = stand(TASK, propose("s-0"), VERDICT, other)
    assert standing.verdict == VERDICT
    assert standing.rejected == {"Late": 1}


CRITIQUE = build_task(3, ResolvedStrategy.CRITIQUE, synthesiser="s-0")
CRITICISED = Critique(seat="s-0", round=1, texts={"s-1": "too short"})


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (CRITICISED.model_copy(update={"texts": {"s-0": "good"}}), "Foreign"),
        (CRITICISED.model_copy(update={"texts": {"stranger": "good"}}), "Foreign"),
        (CRITICISED.model_copy(update={"texts": {}}), "Malformed"),
        (CRITICISED.model_copy(update={"round": 2}), "Foreign"),
        (Synthesis(seat="s-0", answer="too early"), "Foreign"),
        (propose("s-0").model_copy(update={"round": 1}), "Foreign"),
        (propose("s-0").model_copy(update={"sample": 1}), "Foreign"),
    ],
)
def test_in_a_critique_only_what_is_asked_now_counts(entry: LedgerEntry, reason: str) -> None:
    standing = stand(CRITIQUE, *all_proposals(), entry)
    assert standing.rejected == {reason: 1}
    assert (standing.critiques, standing.synthesis, len(standing.rounds)) == ({}, None, 1)


def test_a_synthesis_by_another_seat_is_foreign() -> None:
    task = build_task(3, ResolvedStrategy.MIXTURE_OF_AGENTS, synthesiser="s-2")
    assert stand(task, *all_proposals(), Synthesis(seat="s-0", answer="x")).rejected == {"Foreign": 1}
    assert stand(task, *all_proposals(), Synthesis(seat="s-2", answer=" ")).rejected == {"Malformed": 1}
    assert stand(task, *all_proposals(), Synthesis(seat="s-2", answer="x")).synthesis is not None


def test_rounds_keep_what_was_written_in_each() -> None:
    task = build_task(3, ResolvedStrategy.MIXTURE_OF_AGENTS, rounds=3)
    second = [propose(f"s-{i}", "b").model_copy(update={"round": 1}) for i in (2, 0)]
    third = propose("s-1", "c").model_copy(update={"round": 2})
    gone = abstain("s-1", Stage.EXCHANGE).model_copy(update={"round": 1})
    standing = stand(task, *all_proposals(), *second, gone, third)
    assert [list(written) for written in standing.rounds] == [["s-0", "s-1", "s-2"], ["s-0", "s-2"], ["s-1"]]
    assert [proposal.answer for proposal in standing.proposals.values()] == ["b", "c", "b"]
    assert [proposal.answer for proposal in standing.stood_before(2).values()] == ["b", "left", "b"]


def test_a_round_in_which_nobody_wrote_stays_empty() -> None:
    task = build_task(3, ResolvedStrategy.CRITIQUE, rounds=2)
    silent = [abstain(f"s-{i}", Stage.CRITIQUE).model_copy(update={"round": 1}) for i in range(3)]
    critique = CRITICISED.model_copy(update={"round": 2})
    others = [abstain(f"s-{i}", Stage.CRITIQUE).model_copy(update={"round": 2}) for i in (1, 2)]
    better = propose("s-1", "better").model_copy(update={"round": 2})
    standing = stand(task, *all_proposals(), *silent, critique, *others, better)
    assert [list(written) for written in standing.rounds] == [["s-0", "s-1", "s-2"], [], ["s-1"]]


def test_a_verdict_that_leaves_a_revision_out_goes_back_to_the_proposal_before() -> None:
    better = propose("s-1", "better").model_copy(update={"round": 1})
    others = [abstain(f"s-{i}", Stage.CRITIQUE).model_copy(update={"round": 1}) for i in (1, 2)]
    entries = (*all_proposals(), CRITICISED, *others, better)
    counted = tuple(entry.key for entry in entries if entry is not better)
    standing = stand(CRITIQUE, *entries, VERDICT.model_copy(update={"counted": counted}))
    assert standing.proposals["s-1"].answer == "left"
    assert standing.critiques


def test_a_critique_of_a_proposal_that_does_not_count_does_not_count() -> None:
    counted = ("proposal.0.s-0.0", "critique.1.s-0")
    standing = stand(CRITIQUE, *all_proposals(), CRITICISED, VERDICT.model_copy(update={"counted": counted}))
    assert not standing.critiques
