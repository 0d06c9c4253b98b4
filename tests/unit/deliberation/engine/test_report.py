from fractions import Fraction
from hashlib import sha256

import pytest

from deliberation.api.v1alpha1.deliberation import Answer, AnswerType
from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine import ENGINE_VERSION
from deliberation.engine.findings import Findings
from deliberation.engine.fold import fold
from deliberation.engine.ranking import rank
from deliberation.engine.report import Report, report
from deliberation.engine.step import Finish, step
from deliberation.engine.telling import tell_agreement
from deliberation.prompts.shared import shared_prompt
from deliberation.protocol.entries import Abstention, Cancel, LedgerEntry, Outcome, Stage, Synthesis, Usage, Verdict
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, Task
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
    return Verdict(outcome=outcome, counted=tuple(entry.key for entry in entries), decided_at_ms=START_MS + 1234)


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
    @pytest.fixture
    def told(self) -> Report:
        return report_on(PANEL, propose("s-0", "aaa", 11), propose("s-1", "bb", 12), propose("s-2", "c", 13), *BALLOTS)

    def test_the_best_proposal_is_the_result(self, told: Report) -> None:
        assert told.result is not None
        assert told.result.to_json() == {
            "answer": "aaa",
            "type": "Text",
            "proposalId": "s-0",
            "synthesised": False,
            "rationale": "",
            "tied": False,
        }

    def test_every_field_of_a_proposal(self, told: Report) -> None:
        assert told.proposals[1].to_json() == {
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
            "firstPlaceVotes": 1,
            "pairwiseWins": 1,
            "tokens": 12,
        }

    def test_agreement(self, told: Report) -> None:
        assert told.agreement is not None
        assert told.agreement.to_json() == {
            "summary": "W=1.00",
            "kendallWMilli": 1000,
            "condorcetWinner": "s-0",
            "cycle": False,
            "judges": 3,
        }

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

    def test_a_proposal_has_the_member_and_the_model_of_its_own_seat(self) -> None:
        seats = tuple(seat.model_copy(update={"member": f"of {seat.id}", "model": seat.id}) for seat in PANEL.seats)
        told = report_on(PANEL.model_copy(update={"seats": seats}), *all_proposals())
        assert sorted((place.seat, place.member, place.model) for place in told.proposals) == [
            ("s-0", "of s-0", "s-0"),
            ("s-1", "of s-1", "s-1"),
            ("s-2", "of s-2", "s-2"),
        ]

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
        assert told.agreement.to_json() == {
            "summary": "67%",
            "pairwiseMilli": 333,
            "cycle": False,
            "judges": 0,
        }
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
            {"seat": "s-1", "stage": "propose", "round": 0, "reason": "Truncated", "message": "why"}
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


class TestDissent:
    def test_every_answer_that_lost_is_told_with_its_seats_and_reasons(self) -> None:
        task = build_vote(5)
        reasoned = propose("s-3", "up").model_copy(update={"rationale": "it is sunny"})
        told = report_on(task, *(propose(f"s-{i}", a) for i, a in enumerate(("left", "left", "right"))), reasoned)
        assert [dissent.to_json() for dissent in told.dissent] == [
            {"seats": ["s-2"], "proposals": 1, "position": "right", "reason": ""},
            {"seats": ["s-3"], "proposals": 1, "position": "up", "reason": "it is sunny"},
        ]

    def test_judged_texts_that_say_the_same_as_the_best_do_not_dissent(self) -> None:
        proposals = (
            propose("s-0", "go left now, quickly"),
            propose("s-1", "stay"),
            propose("s-2", "go left now, quickly!"),
        )
        told = report_on(PANEL, *proposals, *BALLOTS)
        assert [dissent.seats for dissent in told.dissent] == [("s-1",)]

    def test_without_a_result_nobody_dissents(self) -> None:
        assert report_on(VOTE, propose("s-0"), propose("s-1", "up"), outcome=Outcome.CANCELLED).dissent == ()


class TestMeasures:
    def test_diversity_and_effective_votes(self) -> None:
        told = report_on(PANEL, propose("s-0", "aaa"), propose("s-1", "bb"), propose("s-2", "bb"), *BALLOTS)
        assert told.diversity is not None
        assert told.diversity.to_json() == {"meanDistanceMilli": 667, "clusters": 2, "models": 1}
        assert told.effective_votes is not None
        assert told.effective_votes.to_json() == {"upperBound": 1}

    def test_bias(self) -> None:
        assert report_on(PANEL, *all_proposals()).bias is None
        task = PANEL.model_copy(update={"orders": 2})
        again = tuple(given.model_copy(update={"order": 1}) for given in BALLOTS)
        proposals = (propose(f"s-{i}", "x" * (4 - i)) for i in range(3))
        bias = report_on(task, *proposals, *BALLOTS, *again).bias
        assert bias is not None
        assert bias.to_json() == {"positionConsistencyMilli": 1000, "lengthScoreCorrelationMilli": 1000}

    def test_of_nobody_nothing_is_measured(self) -> None:
        told = report_on(PANEL, outcome=Outcome.NO_QUORUM)
        assert (told.diversity, told.effective_votes, told.agreement, told.bias) == (None, None, None, None)

    def test_where_w_is_not_defined_pairs_of_judges_sum_agreement_up(self) -> None:
        ranking = rank(PANEL, stand(PANEL, *all_proposals(), *BALLOTS))
        agreement = tell_agreement(Findings(ranking, pairwise=Fraction(3, 4)))
        assert agreement is not None
        assert agreement.summary == "P=0.75"
        assert tell_agreement(Findings(ranking)) is None


def test_a_debate_is_told_beside_the_vote_before_it() -> None:
    task = build_task(3, ResolvedStrategy.DEBATE, answer=CHOICE, keep_if_majority=False)
    first = [propose(f"s-{i}", answer) for i, answer in enumerate(("left", "right", "right"))]
    last = [propose(f"s-{i}", "left").model_copy(update={"round": 1}) for i in range(3)]
    told = report_on(task, *first, *last)
    assert told.result is not None
    assert told.result.answer == "left"
    assert told.baseline is not None
    assert told.baseline.to_json() == {
        "answer": "right",
        "winnerShareMilli": 667,
        "marginMilli": 333,
        "changed": True,
    }
    unchanged = report_on(task, *first, last[0].model_copy(update={"answer": "up"}), abstain("s-1"), abstain("s-2"))
    assert unchanged.baseline is not None
    assert not unchanged.baseline.changed


def test_a_synthesis_is_the_result_with_the_dissent_beside_it() -> None:
    task = PANEL.model_copy(update={"synthesiser": "s-2"})
    synthesis = Synthesis(seat="s-2", answer="all of it", rationale="each has a point")
    told = report_on(task, propose("s-0", "aaa"), propose("s-1", "bb"), propose("s-2", "c"), *BALLOTS, synthesis)
    assert told.result is not None
    assert told.result.to_json() == {
        "answer": "all of it",
        "type": "Text",
        "synthesised": True,
        "rationale": "each has a point",
        "tied": False,
    }
    assert [dissent.position for dissent in told.dissent] == ["bb", "c"]
    assert [place.id for place in told.proposals] == ["s-0", "s-1", "s-2"]


def test_a_synthesis_of_tied_proposals_is_tied_with_nothing() -> None:
    task = PANEL.model_copy(update={"synthesiser": "s-2"})
    circle = (
        ballot("s-0", {"s-1": 2, "s-2": 1}),
        ballot("s-1", {"s-2": 5, "s-0": 4}),
        ballot("s-2", {"s-0": 4, "s-1": 3}),
    )
    proposals = (propose(f"s-{i}", str(i)) for i in range(3))
    told = report_on(task, *proposals, *circle, Synthesis(seat="s-2", answer="all of it"))
    assert told.proposals[0].tied_with
    assert told.result is not None
    assert (told.result.synthesised, told.result.tied) == (True, False)


def test_half_of_a_character_in_the_question_is_no_reason_to_fail() -> None:
    task = PANEL.model_copy(update={"question": "Which way\ud800"})
    asked = sha256(shared_prompt(task).encode("utf-8", "replace")).hexdigest()
    assert report_on(task).reproducibility.prompt_sha256 == asked


def test_a_quantity_is_told_with_its_unit() -> None:
    task = build_vote(2, answer=Answer(type=AnswerType.NUMBER, unit="ms"))
    result = report_on(task, propose("s-0", "40"), propose("s-1", "40")).result
    assert result is not None
    assert (result.answer, result.unit) == ("40", "ms")


def test_the_digest_is_of_what_counts_whatever_the_order_in_which_it_came() -> None:
    entries = (*all_proposals(), *BALLOTS)
    digest = report_on(PANEL, *entries).transcript_sha256
    lines = b"".join(entry.encode() + b"\n" for entry in sorted(entries, key=lambda entry: entry.key))
    assert digest == sha256(lines).hexdigest()
    shuffled = (*all_proposals()[::-1], *BALLOTS[::-1], verdict_on(*entries), propose("s-0", "late"))
    assert report(PANEL, stand(PANEL, *shuffled)).transcript_sha256 == digest
    assert report_on(PANEL, *entries[:-1]).transcript_sha256 != digest
    assert report_on(PANEL, *entries, outcome=None).transcript_sha256 is None


def test_numbers_are_told_in_plain_digits() -> None:
    task = build_vote(2, answer=Answer(type=AnswerType.NUMBER, tolerance_milli=500))
    told = report_on(task, propose("s-0", "1,000.25"), propose("s-1", "1e3"))
    assert told.result is not None
    assert told.result.answer == "1000"
    assert told.votes is not None
    assert [count.seats for count in told.votes.counts] == [2]
