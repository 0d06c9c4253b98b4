import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine.asks import Ask
from deliberation.engine.fold import fold
from deliberation.engine.step import Finish, Record, Work, step
from deliberation.protocol.entries import Abstention, Cancel, LedgerEntry, LedgerRecord, Outcome, Stage, Verdict
from deliberation.protocol.tasks import Task
from unit.deliberation.engine.scripted import (
    DEADLINE_MS,
    START_MS,
    TIMEOUT_MS,
    ballot,
    build_task,
    build_vote,
    propose,
    stand,
)
from unit.deliberation.engine.test_fold import abstain, all_proposals
from unit.deliberation.engine.test_fold_properties import ledgers

PANEL = build_task(3)
VOTE = build_vote(3)
PROPOSING_ENDS_MS = START_MS + TIMEOUT_MS * 60 // 100
BALLOTS = tuple(
    ballot(f"s-{judge}", {f"s-{other}": other + 1 for other in range(3) if other != judge}) for judge in range(3)
)


def late(seat: str, stage: Stage = Stage.PROPOSE) -> Abstention:
    return Abstention(seat=seat, stage=stage, reason=AbstentionReason.STAGE_ENDED)


def asks(stage: Stage, *seats: str) -> tuple[Ask, ...]:
    return tuple(Ask(stage, seat) for seat in seats)


def outcome_of(task: Task, *entries: LedgerEntry, now_ms: int = START_MS) -> Outcome:
    finish = step(task, stand(task, *entries), now_ms)
    assert isinstance(finish, Finish)
    return finish.verdict.outcome


def test_at_first_every_seat_is_asked_to_propose() -> None:
    assert step(PANEL, stand(PANEL), START_MS) == Work(
        Stage.PROPOSE, asks(Stage.PROPOSE, "s-0", "s-1", "s-2"), DEADLINE_MS
    )


def test_an_ask_knows_the_key_of_its_entry() -> None:
    assert Ask(Stage.PROPOSE, "s-0").key == propose("s-0").key
    assert Ask(Stage.JUDGE, "s-0").key == ballot("s-0", {}).key


def test_only_what_is_missing_is_asked_for() -> None:
    work = step(PANEL, stand(PANEL, propose("s-1"), abstain("s-2")), START_MS)
    assert work == Work(Stage.PROPOSE, asks(Stage.PROPOSE, "s-0"), DEADLINE_MS)


def test_a_panel_with_its_quorum_waits_for_proposals_until_60_percent_of_the_timeout() -> None:
    standing = stand(PANEL, propose("s-0"), propose("s-1"))
    assert step(PANEL, standing, PROPOSING_ENDS_MS - 1) == Work(
        Stage.PROPOSE, asks(Stage.PROPOSE, "s-2"), PROPOSING_ENDS_MS
    )
    record = step(PANEL, standing, PROPOSING_ENDS_MS)
    assert isinstance(record, Record)
    [entry] = record.entries
    assert isinstance(entry, Abstention)
    assert (entry.seat, entry.stage, entry.reason) == ("s-2", "propose", AbstentionReason.STAGE_ENDED)
    assert "timeoutSeconds" in entry.message


def test_a_panel_without_its_quorum_goes_on_proposing_until_the_deadline() -> None:
    standing = stand(PANEL, propose("s-0"))
    assert step(PANEL, standing, DEADLINE_MS - 1) == Work(Stage.PROPOSE, asks(Stage.PROPOSE, "s-1", "s-2"), DEADLINE_MS)
    record = step(PANEL, standing, DEADLINE_MS)
    assert isinstance(record, Record)
    assert outcome_of(PANEL, propose("s-0"), *record.entries, now_ms=DEADLINE_MS) is Outcome.TIMED_OUT


def test_a_vote_waits_for_everybody_until_the_deadline_and_then_counts_what_there_is() -> None:
    standing = stand(VOTE, propose("s-0"), propose("s-1"))
    assert step(VOTE, standing, DEADLINE_MS - 1) == Work(Stage.PROPOSE, asks(Stage.PROPOSE, "s-2"), DEADLINE_MS)
    record = step(VOTE, standing, DEADLINE_MS)
    assert isinstance(record, Record)
    entries = (propose("s-0"), propose("s-1"), *record.entries)
    assert outcome_of(VOTE, *entries, now_ms=DEADLINE_MS) is Outcome.SUCCEEDED


def test_a_vote_is_over_when_everybody_has_proposed() -> None:
    assert step(VOTE, stand(VOTE, *all_proposals()), START_MS + 5) == Finish(
        Verdict(
            outcome=Outcome.SUCCEEDED,
            counted=("proposal.0.s-0.0", "proposal.0.s-1.0", "proposal.0.s-2.0"),
            decided_at_ms=START_MS + 5,
        )
    )


def test_the_judges_are_those_who_proposed() -> None:
    standing = stand(PANEL, propose("s-0"), abstain("s-1"), propose("s-2"))
    assert step(PANEL, standing, START_MS) == Work(Stage.JUDGE, asks(Stage.JUDGE, "s-0", "s-2"), DEADLINE_MS)


def test_judging_ends_at_the_deadline_with_the_ballots_there_are() -> None:
    standing = stand(PANEL, *all_proposals(), BALLOTS[0])
    assert step(PANEL, standing, DEADLINE_MS - 1) == Work(Stage.JUDGE, asks(Stage.JUDGE, "s-1", "s-2"), DEADLINE_MS)
    record = step(PANEL, standing, DEADLINE_MS)
    assert isinstance(record, Record)
    assert [entry.key for entry in record.entries] == ["abstention.judge.0.s-1.0", "abstention.judge.0.s-2.0"]
    assert outcome_of(PANEL, *all_proposals(), BALLOTS[0], *record.entries) is Outcome.SUCCEEDED


def test_a_panel_succeeds_when_all_ballots_are_in_and_counts_them_all() -> None:
    finish = step(PANEL, stand(PANEL, *all_proposals(), *BALLOTS), START_MS)
    assert isinstance(finish, Finish)
    assert finish.verdict.outcome is Outcome.SUCCEEDED
    assert len(finish.verdict.counted) == 6


def test_a_panel_in_which_no_judge_gives_a_ballot_has_none() -> None:
    abstentions = (abstain(f"s-{i}", Stage.JUDGE) for i in range(3))
    assert outcome_of(PANEL, *all_proposals(), *abstentions) is Outcome.NO_BALLOTS


def test_a_panel_whose_judges_ran_out_of_time_timed_out() -> None:
    abstentions = (abstain("s-0", Stage.JUDGE), late("s-1", Stage.JUDGE), late("s-2", Stage.JUDGE))
    assert outcome_of(PANEL, *all_proposals(), *abstentions, now_ms=DEADLINE_MS) is Outcome.TIMED_OUT


def test_a_single_proposal_needs_no_judging() -> None:
    task = build_task(3, quorum=1)
    assert outcome_of(task, abstain("s-0"), propose("s-1"), abstain("s-2")) is Outcome.SUCCEEDED


@pytest.mark.parametrize("task", [PANEL, VOTE])
def test_a_run_ends_as_soon_as_its_quorum_is_out_of_reach(task: Task) -> None:
    assert isinstance(step(task, stand(task, abstain("s-0")), START_MS), Work)
    assert outcome_of(task, abstain("s-0"), abstain("s-1")) is Outcome.NO_QUORUM
    assert outcome_of(task, propose("s-2"), abstain("s-0"), abstain("s-1")) is Outcome.NO_QUORUM


def test_a_quorum_that_late_seats_could_not_have_made_is_no_question_of_time() -> None:
    entries = (abstain("s-0"), abstain("s-1"), late("s-2"))
    assert outcome_of(build_task(3), *entries) is Outcome.NO_QUORUM
    assert outcome_of(build_task(3, quorum=1), *entries) is Outcome.TIMED_OUT


def test_a_quorum_above_the_number_of_seats_is_never_reached() -> None:
    assert outcome_of(build_task(3, quorum=4)) is Outcome.NO_QUORUM


@pytest.mark.parametrize("entries", [(), all_proposals(), (*all_proposals(), *BALLOTS), (abstain("s-0"),) * 3])
def test_a_cancelled_run_ends_at_once_and_keeps_what_there_is(entries: tuple[LedgerEntry, ...]) -> None:
    finish = step(PANEL, stand(PANEL, *entries, Cancel()), START_MS)
    assert isinstance(finish, Finish)
    assert finish.verdict.outcome is Outcome.CANCELLED
    assert finish.verdict.counted == tuple(dict.fromkeys(entry.key for entry in entries))


def test_whoever_writes_the_verdict_first_decides() -> None:
    verdict = Verdict(outcome=Outcome.NO_QUORUM, counted=(), decided_at_ms=1)
    assert step(PANEL, stand(PANEL, verdict, Cancel()), START_MS) == Finish(verdict)


def test_a_seat_whose_place_is_spoiled_is_not_asked_but_recorded_as_absent() -> None:
    standing = fold(PANEL, [LedgerRecord(1, "proposal.0.s-1.0", None)])
    record = step(PANEL, standing, START_MS)
    assert isinstance(record, Record)
    [entry] = record.entries
    assert isinstance(entry, Abstention)
    assert (entry.seat, entry.reason) == ("s-1", AbstentionReason.INTERNAL_ERROR)


def write_once(ledger: list[LedgerRecord], entries: tuple[LedgerEntry, ...]) -> list[LedgerRecord]:
    taken = {record.key for record in ledger}
    new = [entry for entry in entries if entry.key not in taken]
    return [*ledger, *(LedgerRecord(1000 + len(ledger) + n, entry.key, entry) for n, entry in enumerate(new))]


def step_past_deadline(task: Task, ledger: list[LedgerRecord], steps: int) -> list[LedgerRecord]:
    """Return the ledger, each place once, after that many steps at the deadline."""
    keys_once = list({record.key: record for record in ledger}.values())
    for _ in range(steps):
        match step(task, fold(task, keys_once), DEADLINE_MS):
            case Finish(verdict):
                keys_once = write_once(keys_once, (verdict,))
            case Record(entries):
                grown = write_once(keys_once, entries)
                assert len(grown) > len(keys_once), "a record that cannot be written would be asked for without end"
                keys_once = grown
            case work:
                pytest.fail(f"no time is left for {work}")
    return keys_once


@given(ledgers(), st.sampled_from([PANEL, VOTE, build_task(1), build_task(3, quorum=3)]))
def test_from_any_ledger_a_run_past_its_deadline_comes_to_its_end(ledger: list[LedgerRecord], task: Task) -> None:
    keys_once = step_past_deadline(task, ledger, 6)
    assert any(record.key == "verdict" for record in keys_once)


def test_when_a_stage_ends_each_missing_sample_has_an_abstention_of_its_own() -> None:
    task = build_vote(1, samples=2)
    record = step(task, stand(task), DEADLINE_MS)
    assert isinstance(record, Record)
    assert [entry.key for entry in record.entries] == ["abstention.propose.0.s-0.0", "abstention.propose.0.s-0.1"]
