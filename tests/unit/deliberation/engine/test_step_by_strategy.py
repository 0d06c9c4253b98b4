"""What `step` asks for in each strategy, and how runs end that lack time, budget or a place for their verdict."""

from hypothesis import given
from hypothesis import strategies as st

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.api.v1alpha1.strategy import Stop
from deliberation.engine.asks import Ask
from deliberation.engine.fold import fold
from deliberation.engine.step import Finish, Record, Work, step
from deliberation.protocol.entries import (
    Abstention,
    Critique,
    LedgerEntry,
    LedgerRecord,
    Outcome,
    Stage,
    Start,
    Synthesis,
)
from deliberation.protocol.tasks import ResolvedStrategy, Task
from unit.deliberation.engine.scripted import (
    CHOICE,
    START_MS,
    TIMEOUT_MS,
    build_task,
    build_vote,
    propose,
    record_all,
    stand,
)
from unit.deliberation.engine.test_fold import abstain, all_proposals
from unit.deliberation.engine.test_fold_properties import ledgers
from unit.deliberation.engine.test_step import BALLOTS, PANEL, VOTE, outcome_of, step_past_deadline
from unit.deliberation.engine.test_whole_run import RUNS


def abstentions_in(record: object) -> list[tuple[str, Stage, AbstentionReason]]:
    assert isinstance(record, Record)
    entries = [entry for entry in record.entries if isinstance(entry, Abstention)]
    assert len(entries) == len(record.entries)
    return [(entry.seat, entry.stage, entry.reason) for entry in entries]


def entries_of(record: object) -> tuple[LedgerEntry, ...]:
    assert isinstance(record, Record)
    return record.entries


def test_votes_that_cannot_change_the_winner_are_not_waited_for() -> None:
    task = build_vote(5, stop=Stop.UNASSAILABLE)
    ahead = [propose(f"s-{i}", answer) for i, answer in enumerate(("left", "left", "right"))]
    assert isinstance(step(task, stand(task, *ahead), START_MS), Work)
    record = step(task, stand(task, *ahead, propose("s-3", "left")), START_MS)
    assert abstentions_in(record) == [("s-4", Stage.PROPOSE, AbstentionReason.NOT_NEEDED)]


def test_a_vote_that_is_decided_still_waits_for_its_quorum() -> None:
    task = build_vote(5, stop=Stop.UNASSAILABLE, quorum=4)
    standing = stand(task, *(propose(f"s-{i}", "left") for i in range(3)))
    assert isinstance(step(task, standing, START_MS), Work)


def test_a_quorum_counts_seats_not_samples() -> None:
    task = build_vote(3, samples=2)
    both = (propose("s-0"), propose("s-0").model_copy(update={"sample": 1}))
    gone = [
        Abstention(seat=seat, stage=Stage.PROPOSE, turn=turn, reason=AbstentionReason.MALFORMED_ANSWER)
        for seat in ("s-1", "s-2")
        for turn in range(2)
    ]
    assert isinstance(step(task, stand(task, *both, *gone[:1]), START_MS), Work)
    assert outcome_of(task, *both, *gone) is Outcome.NO_QUORUM


CRITIQUE = build_task(3, ResolvedStrategy.CRITIQUE)
CRITIQUES = tuple(
    Critique(seat=f"s-{i}", round=1, texts={f"s-{other}": "too short" for other in range(3) if other != i})
    for i in range(3)
)


def revise(seat: str) -> LedgerEntry:
    return propose(seat, "better").model_copy(update={"round": 1})


def test_a_round_of_critique_is_followed_by_revisions_and_judging() -> None:
    entries: list[LedgerEntry] = [*all_proposals()]
    revisions = [revise(f"s-{i}") for i in range(3)]
    for stage, given_now in ((Stage.CRITIQUE, CRITIQUES), (Stage.EXCHANGE, revisions), (Stage.JUDGE, BALLOTS)):
        work = step(CRITIQUE, stand(CRITIQUE, *entries), START_MS)
        assert isinstance(work, Work)
        assert (work.stage, [ask.seat for ask in work.asks]) == (stage, ["s-0", "s-1", "s-2"])
        entries += given_now
    assert outcome_of(CRITIQUE, *entries) is Outcome.SUCCEEDED
    assert {one.answer for one in stand(CRITIQUE, *entries).proposals.values()} == {"better"}


def test_who_was_not_criticised_has_nothing_to_revise() -> None:
    only_one = Critique(seat="s-0", round=1, texts={"s-2": "too short"})
    gone = [abstain(seat, Stage.CRITIQUE).model_copy(update={"round": 1}) for seat in ("s-1", "s-2")]
    work = step(CRITIQUE, stand(CRITIQUE, *all_proposals(), only_one, *gone), START_MS)
    assert isinstance(work, Work)
    assert work.asks == (Ask(Stage.EXCHANGE, "s-2", 1),)


def test_a_revision_that_cannot_be_read_leaves_the_former_proposal() -> None:
    gone = abstain("s-0", Stage.EXCHANGE).model_copy(update={"round": 1})
    standing = stand(CRITIQUE, *all_proposals(), *CRITIQUES, gone, revise("s-1"), revise("s-2"))
    assert [one.answer for one in standing.proposals.values()] == ["left", "better", "better"]


def test_a_stage_without_any_result_ends_at_its_share_and_the_run_goes_on() -> None:
    work = step(CRITIQUE, stand(CRITIQUE, *all_proposals()), START_MS)
    assert isinstance(work, Work)
    assert work.until_ms == START_MS + TIMEOUT_MS * 90 // 170
    record = step(CRITIQUE, stand(CRITIQUE, *all_proposals()), work.until_ms)
    assert {stage for _, stage, _ in abstentions_in(record)} == {Stage.CRITIQUE}
    after = step(CRITIQUE, stand(CRITIQUE, *all_proposals(), *entries_of(record)), work.until_ms)
    assert isinstance(after, Work)
    assert after.stage is Stage.JUDGE


def test_one_seat_alone_is_neither_criticised_nor_judged() -> None:
    task = build_task(1, ResolvedStrategy.CRITIQUE, synthesiser="s-0")
    assert outcome_of(task, propose("s-0")) is Outcome.SUCCEEDED


WITH_SYNTHESIS = build_task(3, synthesiser="s-1")
MIXTURE = build_task(3, ResolvedStrategy.MIXTURE_OF_AGENTS)


def test_the_synthesiser_writes_when_the_judges_are_done() -> None:
    work = step(WITH_SYNTHESIS, stand(WITH_SYNTHESIS, *all_proposals(), *BALLOTS), START_MS)
    assert isinstance(work, Work)
    assert work.asks == (Ask(Stage.SYNTHESISE, "s-1"),)


def test_without_any_ballot_there_is_nothing_to_synthesise() -> None:
    gone = [abstain(f"s-{i}", Stage.JUDGE) for i in range(3)]
    assert outcome_of(WITH_SYNTHESIS, *all_proposals(), *gone) is Outcome.NO_BALLOTS


def test_a_panel_whose_synthesis_fails_has_its_ranking_and_a_mixture_has_nothing() -> None:
    gone = abstain("s-1", Stage.SYNTHESISE)
    assert outcome_of(WITH_SYNTHESIS, *all_proposals(), *BALLOTS, gone) is Outcome.SUCCEEDED
    first = gone.model_copy(update={"seat": "s-0"})
    assert outcome_of(MIXTURE, *all_proposals(), first) is Outcome.NO_SYNTHESIS
    late_one = first.model_copy(update={"reason": AbstentionReason.STAGE_ENDED})
    assert outcome_of(MIXTURE, *all_proposals(), late_one) is Outcome.TIMED_OUT
    assert outcome_of(MIXTURE, *all_proposals(), Synthesis(seat="s-0", answer="x")) is Outcome.SUCCEEDED


def test_a_spoiled_verdict_is_followed_by_one_in_the_next_place() -> None:
    garbage = [LedgerRecord(100, "verdict", None), LedgerRecord(101, "verdict.1", propose("s-0"))]
    finish = step(VOTE, fold(VOTE, [*record_all(*all_proposals()), *garbage]), START_MS)
    assert isinstance(finish, Finish)
    assert finish.verdict.key == "verdict.2"
    ended = fold(VOTE, [*record_all(*all_proposals()), *garbage, LedgerRecord(102, "verdict.2", finish.verdict)])
    assert ended.verdict == finish.verdict


def test_what_stands_in_the_place_of_a_cancel_cancels_because_nothing_else_could_any_more() -> None:
    finish = step(VOTE, fold(VOTE, [LedgerRecord(1, "cancel", None)]), START_MS)
    assert isinstance(finish, Finish)
    assert finish.verdict.outcome is Outcome.CANCELLED


class TestBudget:
    def test_a_stage_that_may_cost_too_much_is_not_begun(self) -> None:
        task = build_vote(3, budget_tokens=3000)
        record = step(task, stand(task), START_MS)
        assert abstentions_in(record) == [
            (f"s-{i}", Stage.PROPOSE, AbstentionReason.BUDGET_EXHAUSTED) for i in range(3)
        ]
        assert outcome_of(task, *entries_of(record)) is Outcome.BUDGET_EXHAUSTED

    def test_a_stage_that_is_surely_paid_for_is_begun(self) -> None:
        task = build_vote(3, budget_tokens=10_000)
        assert isinstance(step(task, stand(task), START_MS), Work)

    def test_what_has_begun_goes_on(self) -> None:
        task = build_vote(3, budget_tokens=3000)
        assert isinstance(step(task, stand(task, Start(runner="r", at_ms=START_MS)), START_MS), Work)
        assert isinstance(step(task, stand(task, propose("s-0")), START_MS), Work)

    def test_judging_that_cannot_be_paid_leaves_a_panel_without_result(self) -> None:
        task = build_task(3, budget_tokens=400)
        record = step(task, stand(task, *all_proposals()), START_MS)
        assert {stage for _, stage, _ in abstentions_in(record)} == {Stage.JUDGE}
        assert outcome_of(task, *all_proposals(), *entries_of(record)) is Outcome.BUDGET_EXHAUSTED

    def test_a_synthesis_that_cannot_be_paid_leaves_a_panel_its_ranking(self) -> None:
        task = WITH_SYNTHESIS.model_copy(update={"budget_tokens": 1400})
        record = step(task, stand(task, *all_proposals(), *BALLOTS), START_MS)
        assert abstentions_in(record) == [("s-1", Stage.SYNTHESISE, AbstentionReason.BUDGET_EXHAUSTED)]
        assert outcome_of(task, *all_proposals(), *BALLOTS, *entries_of(record)) is Outcome.SUCCEEDED

    def test_a_debate_that_cannot_be_paid_is_decided_by_its_first_round(self) -> None:
        task = build_task(3, ResolvedStrategy.DEBATE, answer=CHOICE, budget_tokens=400)
        first = [propose(f"s-{i}", answer) for i, answer in enumerate(("left", "left", "up"))]
        record = step(task, stand(task, *first), START_MS)
        assert abstentions_in(record) == [("s-2", Stage.EXCHANGE, AbstentionReason.BUDGET_EXHAUSTED)]
        assert outcome_of(task, *first, *entries_of(record)) is Outcome.SUCCEEDED


def starts(number: int) -> list[Start]:
    return [Start(number=place, runner="r", at_ms=START_MS) for place in range(number)]


def tries_in(task: Task, *entries: LedgerEntry) -> int:
    work = step(task, stand(task, *entries), START_MS)
    assert isinstance(work, Work)
    return work.tries


def test_work_knows_how_often_it_went_out() -> None:
    assert tries_in(VOTE) == 1
    assert tries_in(VOTE, *starts(1)) == 1
    first, *later = starts(3)
    assert tries_in(VOTE, first, propose("s-0"), *later) == 3


def test_a_new_stage_counts_its_tries_from_the_beginning() -> None:
    first, second, third = starts(3)
    assert tries_in(PANEL, first, second, *all_proposals(), third) == 1
    standing = stand(PANEL, first, second, *all_proposals(), third)
    assert (standing.started, standing.starts) == (first, 3)


@given(ledgers(), st.sampled_from([task for task, _ in RUNS.values()]))
def test_whatever_the_strategy_a_run_past_its_deadline_comes_to_its_end(ledger: list[LedgerRecord], task: Task) -> None:
    keys_once = step_past_deadline(task, ledger, 30)
    assert fold(task, keys_once).verdict is not None
