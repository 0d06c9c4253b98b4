import json
from fractions import Fraction
from hashlib import sha256
from typing import Any

import pytest

from deliberation.api.v1alpha1.deliberation import Answer, AnswerType, Criterion
from deliberation.api.v1alpha1.deliberation_status import DeliberationStatus
from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine import ENGINE_VERSION
from deliberation.engine.cautions import find_cautions
from deliberation.engine.fold import fold
from deliberation.engine.ranking import Ranking
from deliberation.engine.report import MAX_REPORT_BYTES, Report, report
from deliberation.engine.step import Finish, step
from deliberation.prompts.shared import shared_prompt
from deliberation.protocol.messages import (
    Abstention,
    Cancel,
    LedgerEntry,
    ModelAddress,
    Outcome,
    ResolvedStrategy,
    SeatTask,
    Stage,
    Task,
    Usage,
    Verdict,
    entry_key,
)
from unit.deliberation.engine.scripted import (
    BOOLEAN,
    CHOICE,
    START_MS,
    ballot,
    build_task,
    build_vote,
    propose,
    stand,
)
from unit.deliberation.engine.test_fold import abstain, all_proposals

PANEL = build_task(3)
VOTE = build_vote(3)
BALLOTS = (
    ballot("s-0", {"s-1": 2, "s-2": 1}),
    ballot("s-1", {"s-0": 5, "s-2": 4}),
    ballot("s-2", {"s-0": 4, "s-1": 3}),
)


def verdict_on(*entries: LedgerEntry, outcome: Outcome = Outcome.SUCCEEDED) -> Verdict:
    return Verdict(outcome=outcome, counted=tuple(entry_key(entry) for entry in entries), decided_at_ms=START_MS + 1234)


def report_on(task: Task, *entries: LedgerEntry, outcome: Outcome | None = Outcome.SUCCEEDED) -> Report:
    """Return the report on a run with these entries and, unless `outcome` is None, a verdict that counts them all."""
    ended = (verdict_on(*entries, outcome=outcome),) if outcome else ()
    return report(task, stand(task, *entries, *ended))


class TestProgress:
    @pytest.mark.parametrize(
        ("task", "entries", "stage"),
        [
            (PANEL, (), "propose"),
            (PANEL, (propose("s-0"), propose("s-1")), "propose"),
            (PANEL, all_proposals(), "judge"),
            (VOTE, all_proposals(), "aggregate"),
            (PANEL, (abstain("s-0"), abstain("s-1"), propose("s-2")), "aggregate"),
        ],
    )
    def test_the_stage_follows_the_ledger(self, task: Task, entries: tuple[LedgerEntry, ...], stage: str) -> None:
        progress = report_on(task, *entries, outcome=None).progress
        assert (progress.stage, progress.expected) == (stage, 3)

    def test_it_counts(self) -> None:
        entries = (propose("s-0"), abstain("s-1"), propose("s-2"), ballot("s-0", {"s-2": 3}))
        progress = report_on(PANEL, *entries, abstain("s-2", Stage.JUDGE)).progress
        assert progress.to_json() == {
            "stage": "finished",
            "proposals": 2,
            "expected": 3,
            "ballots": 1,
            "abstentions": 2,
        }

    def test_before_the_verdict_nothing_is_ranked(self) -> None:
        told = report_on(PANEL, *all_proposals(), *BALLOTS, outcome=None)
        assert (told.result, told.proposals, told.votes, told.agreement) == (None, (), None, None)
        assert told.usage.wall_milliseconds is None
        assert told.usage.calls == 6

    def test_abstentions_are_told_as_they_come(self) -> None:
        votes = report_on(VOTE, abstain("s-1"), outcome=None).votes
        assert votes is not None
        assert [gone.seat for gone in votes.abstentions] == ["s-1"]
        assert votes.counts == ()


class TestPanel:
    told = report_on(PANEL, propose("s-0", "aaa", 11), propose("s-1", "bb", 12), propose("s-2", "c", 13), *BALLOTS)

    def test_the_best_proposal_is_the_result(self) -> None:
        assert self.told.result is not None
        assert self.told.result.to_json() == {
            "answer": "aaa",
            "type": "Text",
            "proposalId": "s-0",
            "rationale": "",
            "tied": False,
        }

    def test_every_field_of_a_proposal(self) -> None:
        assert self.told.proposals[1].to_json() == {
            "id": "s-1",
            "rank": 2,
            "tiedWith": [],
            "member": "s",
            "seat": "s-1",
            "model": "tiny",
            "answer": "bb",
            "truncated": False,
            "sha256": sha256(b"bb").hexdigest(),
            "scoreMilli": 0,
            "stderrMilli": 1000,
            "criteria": [
                {"name": "correctness", "meanMilli": 2500, "ballots": 2},
                {"name": "completeness", "meanMilli": 2500, "ballots": 2},
                {"name": "clarity", "meanMilli": 2500, "ballots": 2},
            ],
            "ballots": 2,
            "tokens": 12,
        }

    def test_agreement(self) -> None:
        assert self.told.agreement is not None
        assert self.told.agreement.to_json() == {"summary": "W=1.00", "kendallWMilli": 1000, "judges": 3}

    def test_usage_is_summed_by_stage_with_that_of_abstentions(self) -> None:
        gone = abstain("s-2").model_copy(update={"usage": Usage(calls=2, prompt_tokens=7, completion_tokens=1)})
        told = report_on(PANEL, propose("s-0"), propose("s-1"), gone, ballot("s-0", {"s-1": 3}))
        assert told.usage.to_json() == {
            "calls": 5,
            "repeatedCalls": 0,
            "promptTokens": 507,
            "cachedTokens": 256,
            "completionTokens": 51,
            "totalTokens": 558,
            "byStage": [
                {"name": "propose", "calls": 4, "promptTokens": 207, "completionTokens": 21},
                {"name": "judge", "calls": 1, "promptTokens": 300, "completionTokens": 30},
            ],
            "wallMilliseconds": 1234,
        }

    def test_only_top_k_proposals_are_told_and_ties_among_them(self) -> None:
        told = report_on(PANEL.model_copy(update={"top_k": 2}), *(propose(f"s-{i}", "x" * (i + 1)) for i in range(3)))
        assert [place.seat for place in told.proposals] == ["s-0", "s-1"]
        assert [place.tied_with for place in told.proposals] == [("s-1",), ("s-0",)]
        assert told.result is not None
        assert told.result.tied

    def test_without_anything_to_compare_there_is_no_agreement(self) -> None:
        assert report_on(PANEL, propose("s-0")).agreement is None

    def test_the_seat_s_model_is_told_even_if_the_task_does_not_describe_it(self) -> None:
        task = PANEL.model_copy(update={"models": (ModelAddress(name="x", base_url="", model_name="y"),)})
        assert report_on(task, propose("s-0")).proposals[0].model == "small"


class TestVote:
    def test_the_winning_answer_is_the_result_in_its_declared_spelling(self) -> None:
        told = report_on(VOTE, propose("s-0", "LEFT"), propose("s-1", "right"), propose("s-2", "left"))
        assert told.result is not None
        assert (told.result.answer, told.result.type, told.result.proposal_id) == ("left", "Choice", "s-0")
        assert told.votes is not None
        assert told.votes.to_json() == {
            "counts": [
                {"answer": "left", "seats": 2, "weightMilli": 2000},
                {"answer": "right", "seats": 1, "weightMilli": 1000},
            ],
            "winnerShareMilli": 667,
            "marginMilli": 333,
            "abstentions": [],
        }
        assert told.agreement is not None
        assert told.agreement.to_json() == {"summary": "67%", "judges": 0}
        assert [place.votes_milli for place in told.proposals] == [2000, 2000, 1000]

    def test_a_tie_is_told(self) -> None:
        told = report_on(VOTE, propose("s-0", "left"), propose("s-1", "right"))
        assert told.result is not None
        assert told.result.tied

    def test_abstentions_carry_their_reason(self) -> None:
        gone = Abstention(seat="s-1", stage=Stage.PROPOSE, reason=AbstentionReason.TRUNCATED, message="why")
        votes = report_on(VOTE, propose("s-0"), gone, propose("s-2")).votes
        assert votes is not None
        assert votes.to_json()["abstentions"] == [
            {"seat": "s-1", "stage": "propose", "reason": "Truncated", "message": "why"}
        ]


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.SUCCEEDED])
def test_a_run_that_did_not_succeed_has_no_result_but_keeps_its_proposals(outcome: Outcome) -> None:
    told = report_on(PANEL, propose("s-0"), outcome=outcome)
    assert told.result is None
    assert [place.seat for place in told.proposals] == ["s-0"]


def test_a_cancelled_run_is_told_with_what_there_is() -> None:
    entries = (propose("s-0"), Cancel())
    finish = step(VOTE, stand(VOTE, *entries), START_MS + 5)
    assert isinstance(finish, Finish)
    told = report(VOTE, stand(VOTE, *entries, finish.verdict))
    assert (told.progress.stage, told.progress.proposals, told.result) == ("finished", 1, None)


@pytest.mark.parametrize(
    ("strategy", "answer", "reason"),
    [
        (ResolvedStrategy.PANEL, Answer(), "it suits answer.type Text"),
        (ResolvedStrategy.VOTE, CHOICE, "it suits answer.type Choice"),
        (ResolvedStrategy.VOTE, Answer(), "spec.strategy.type asks for it"),
        (ResolvedStrategy.PANEL, BOOLEAN, "spec.strategy.type asks for it"),
    ],
)
def test_the_strategy_is_told_with_its_reason(strategy: ResolvedStrategy, answer: Answer, reason: str) -> None:
    told = report(build_task(3, strategy, answer=answer), fold(PANEL, ())).strategy
    assert (told.resolved, told.reason) == (strategy.value, reason)


def test_what_another_run_needs_to_be_comparable() -> None:
    address = ModelAddress(name="small", base_url="u", model_name="tiny", revision="abc", simulated=True)
    idle = ModelAddress(name="idle", base_url="u", model_name="huge")
    task = build_task(2, models=(address, idle), seed=7)
    assert report_on(task, outcome=None).reproducibility.to_json() == {
        "seed": 7,
        "promptSha256": sha256(shared_prompt(task).encode()).hexdigest(),
        "engineVersion": ENGINE_VERSION,
        "models": [{"name": "small", "model": "tiny", "revision": "abc", "simulated": True}],
    }


class TestCautions:
    def test_a_mixed_council_that_agrees_has_none(self) -> None:
        other = ModelAddress(name="other", base_url="u", model_name="other")
        seats = (*PANEL.seats[:2], PANEL.seats[2].model_copy(update={"model": "other"}))
        task = PANEL.model_copy(update={"models": (*PANEL.models, other), "seats": seats})
        assert report_on(task, *all_proposals(), *BALLOTS).warnings == ()

    def test_one_model_under_two_names_is_one(self) -> None:
        twin = PANEL.models[0].model_copy(update={"name": "twin", "base_url": "elsewhere"})
        seats = (*PANEL.seats[:2], PANEL.seats[2].model_copy(update={"model": "twin"}))
        task = PANEL.model_copy(update={"models": (*PANEL.models, twin), "seats": seats})
        [warning] = report_on(task).warnings
        assert warning.startswith("HomogeneousCouncil: all 3 seats use one model")

    def test_a_single_seat_is_no_homogeneous_council(self) -> None:
        assert report_on(build_task(1), propose("s-0")).warnings == ()

    def test_a_simulated_model_is_told_though_only_one_seat_uses_it(self) -> None:
        task = build_task(2, models=(PANEL.models[0].model_copy(update={"simulated": True}),))
        told = report_on(task, outcome=None)
        assert told.simulated
        assert told.warnings[0].startswith("Simulated: ")

    def test_an_unused_simulated_model_is_not_told(self) -> None:
        idle = ModelAddress(name="idle", base_url="u", model_name="m", simulated=True)
        told = report_on(build_task(2, models=(*PANEL.models, idle)), outcome=None)
        assert not told.simulated
        assert not any(warning.startswith("Simulated") for warning in told.warnings)

    def test_abstentions_and_cut_off_answers_are_counted(self) -> None:
        cut_off = propose("s-0").model_copy(update={"cut_off": True})
        entries = (cut_off, propose("s-1"), abstain("s-2"), ballot("s-0", {"s-1": 3}), abstain("s-1", Stage.JUDGE))
        assert report_on(PANEL, *entries).warnings[1:] == (
            "QuorumPartial: 1 of 3 seats gave no proposal",
            "BallotsPartial: 1 of 2 judges gave no ballot",
            "CutOff: 1 of 2 answers met the token limit and end in the middle; raise the members' sampling.maxTokens",
        )

    def test_judges_in_a_circle_agree_little(self) -> None:
        circle = (
            ballot("s-0", {"s-1": 2, "s-2": 1}),
            ballot("s-1", {"s-2": 5, "s-0": 4}),
            ballot("s-2", {"s-0": 4, "s-1": 3}),
        )
        told = report_on(PANEL, *all_proposals(), *circle)
        assert told.warnings[-1] == "LowAgreement: the judges' rankings differ much, W=0.00"
        assert report_on(PANEL, *all_proposals(), *circle, outcome=None).warnings == told.warnings[:-1]

    @pytest.mark.parametrize(("kendall_w", "warnings"), [(Fraction(49, 100), 1), (Fraction(1, 2), 0)])
    def test_half_is_enough_agreement_of_judges(self, kendall_w: Fraction, warnings: int) -> None:
        standing = stand(PANEL, verdict_on())
        cautions = find_cautions(PANEL, standing, Ranking((), kendall_w=kendall_w))
        assert [caution.startswith("LowAgreement") for caution in cautions].count(True) == warnings

    def test_a_vote_needs_more_than_half_to_agree(self) -> None:
        split = report_on(build_vote(4), *(propose(f"s-{i}", ("left", "right")[i % 2]) for i in range(4)))
        assert split.warnings[-1] == "LowAgreement: no answer has more than half of the votes; the first has 50%"
        clear = report_on(VOTE, propose("s-0", "left"), propose("s-1", "left"), propose("s-2", "right"))
        assert not any(warning.startswith("LowAgreement") for warning in clear.warnings)


def longest_id(number: int) -> str:
    return f"{'m' * 40}-{number}"


def worst_task(strategy: ResolvedStrategy, character: str) -> Task:
    """Return a task of 64 seats and eight criteria, with every name as long as it may be."""
    seats = tuple(
        SeatTask(id=longest_id(i), member="m" * 40, role="QA", model=f"model-{i % 8}" + "n" * 33) for i in range(64)
    )
    models = tuple(
        ModelAddress(name=f"model-{i}" + "n" * 33, base_url="u", model_name=character * 256, revision="r" * 128)
        for i in range(8)
    )
    criteria = tuple(Criterion(name=f"{i}{'c' * 39}", weight_milli=i + 1) for i in range(8))
    fields: dict[str, Any] = {"models": models, "criteria": criteria, "top_k": 10, "quorum": 1}
    return build_task(64, strategy, **fields).model_copy(update={"seats": seats})


@pytest.mark.parametrize("character", ["a", '"', "\n", "\\", "é", "漢", "😀"])
@pytest.mark.parametrize("strategy", list(ResolvedStrategy))
@pytest.mark.parametrize("abstaining", [0, 32, 60])
def test_a_report_is_bounded_whatever_the_models_write(
    strategy: ResolvedStrategy, character: str, abstaining: int
) -> None:
    task = worst_task(strategy, character)
    proposing = [seat.id for seat in task.seats][abstaining:]
    text = "x" + character * (65_536 // len(character.encode()))
    proposals = [
        propose(seat, f"{n}{text}x").model_copy(update={"rationale": character * 4096, "cut_off": True})
        for n, seat in enumerate(proposing)
    ]
    gone = [
        Abstention(
            seat=seat.id, stage=Stage.PROPOSE, reason=AbstentionReason.MODEL_UNAVAILABLE, message=character * 4096
        )
        for seat in task.seats[:abstaining]
    ]
    scores = {seat: {criterion.name: 3 for criterion in task.criteria} for seat in proposing[1:]}
    judging = [ballot(proposing[0], scores)] if strategy is ResolvedStrategy.PANEL else []
    silent = [
        Abstention(seat=seat, stage=Stage.JUDGE, reason=AbstentionReason.MODEL_UNAVAILABLE, message=4096 * character)
        for seat in (proposing[1:] if judging else ())
    ]
    told = report_on(task, *proposals, *gone, *judging, *silent)
    assert told.json_bytes <= MAX_REPORT_BYTES
    assert told.result is not None
    assert told.result.tied
    assert len(told.proposals) >= 3
    for place in told.proposals:
        whole = f"{proposing.index(place.seat)}{text}x"
        assert whole.startswith(place.answer)
        assert len(place.answer.encode()) >= 100
        assert place.truncated
        assert place.sha256 == sha256(whole.encode()).hexdigest()
    assert told.votes is None or len(told.votes.abstentions) == abstaining + len(silent)
    fields = {field: getattr(told, field) for field in Report.__dataclass_fields__}
    body = DeliberationStatus(**fields).to_json()
    assert len(json.dumps(body, ensure_ascii=False).encode()) < 30 * 1024


def test_an_ordinary_report_shows_answers_of_2_kib_in_full() -> None:
    answer = "é" * 1024
    told = report_on(PANEL, propose("s-0", answer), propose("s-1", answer + "é"), propose("s-2", "c"), *BALLOTS)
    shown = {place.seat: (place.answer, place.truncated) for place in told.proposals}
    assert shown["s-0"] == (answer, False)
    assert shown["s-1"] == (answer, True)


def test_the_size_is_that_of_the_status_parts() -> None:
    told = report_on(PANEL, *all_proposals(), *BALLOTS)
    fields = {field: getattr(told, field) for field in Report.__dataclass_fields__}
    size = len(json.dumps(DeliberationStatus(**fields).to_json(), separators=(",", ":")).encode())
    assert told.json_bytes <= size <= told.json_bytes + 400


def test_numbers_are_told_in_plain_digits() -> None:
    task = build_vote(2, answer=Answer(type=AnswerType.NUMBER, tolerance_milli=500))
    told = report_on(task, propose("s-0", "1,000.25"), propose("s-1", "1e3"))
    assert told.result is not None
    assert told.result.answer == "1000"
    assert told.votes is not None
    assert [count.seats for count in told.votes.counts] == [2]


def test_a_report_that_could_not_fit_is_the_poorest_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliberation.engine.report.MAX_REPORT_BYTES", 0)
    told = report_on(PANEL, *(propose(f"s-{i}", "x" * 500) for i in range(3)))
    assert [len(place.answer) for place in told.proposals] == [128, 128, 128]
