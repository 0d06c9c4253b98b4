from dataclasses import replace
from fractions import Fraction

import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.api.v1alpha1.strategy import Aggregation, Judging, Stop
from deliberation.engine.asks import Ask
from deliberation.engine.cautions import find_cautions
from deliberation.engine.findings import NOTHING, Findings, examine
from deliberation.engine.ranking import Ranking
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Abstention, Ballot, Outcome, Proposal, Stage, Synthesis, Verdict
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, Task
from unit.deliberation.engine.scripted import ballot, build_task, build_vote, propose, stand

TEXTS = (
    "Keep the database in one region and replicate it",
    "Move everything to a queue first, then think again",
    "Buy a second server; nothing else will help here",
    "Do nothing: the load falls by itself in autumn",
)
MODELS = tuple(ModelAddress(name=f"m-{i}", base_url="u", model_name=f"weights-{i}") for i in range(4))
CIRCLE = (
    ballot("s-0", {"s-1": 2, "s-2": 1}),
    ballot("s-1", {"s-2": 5, "s-0": 4}),
    ballot("s-2", {"s-0": 4, "s-1": 3}),
)
AGREED = (
    ballot("s-0", {"s-1": 2, "s-2": 1}),
    ballot("s-1", {"s-0": 5, "s-2": 4}),
    ballot("s-2", {"s-0": 4, "s-1": 3}),
)


def mixed(task: Task) -> Task:
    """Return the task with another model for every seat."""
    seats = tuple(seat.model_copy(update={"model": f"m-{i}"}) for i, seat in enumerate(task.seats))
    return task.model_copy(update={"models": MODELS, "seats": seats})


PANEL = mixed(build_task(3))
VOTE = mixed(build_vote(3))


def ended(
    *entries: Proposal | Ballot | Abstention | Synthesis, outcome: Outcome = Outcome.SUCCEEDED, answers: int = 3
) -> Standing:
    """Return the standing of an ended run with these entries, and with as many ordinary proposals as are missing."""
    given = {entry.seat: entry for entry in entries if isinstance(entry, Proposal)}
    gone = {entry.seat for entry in entries if isinstance(entry, Abstention) and entry.stage is Stage.PROPOSE}
    proposals = {
        f"s-{i}": given.get(f"s-{i}") or propose(f"s-{i}", TEXTS[i]) for i in range(answers) if f"s-{i}" not in gone
    }
    return Standing(
        proposals=proposals,
        rounds=(proposals,),
        ballots={(entry.judge, entry.order): entry for entry in entries if isinstance(entry, Ballot)},
        abstentions={
            Ask(entry.stage, entry.seat, entry.round, entry.turn): entry
            for entry in entries
            if isinstance(entry, Abstention)
        },
        synthesis=next((entry for entry in entries if isinstance(entry, Synthesis)), None),
        verdict=Verdict(outcome=outcome, counted=(), decided_at_ms=0),
    )


def told(task: Task, standing: Standing) -> tuple[str, ...]:
    return find_cautions(task, standing, examine(task, standing))


def cautions(task: Task, standing: Standing) -> list[str]:
    """Return the words to match on."""
    return [caution.partition(":")[0] for caution in told(task, standing)]


def abstain(seat: str, stage: Stage = Stage.PROPOSE, **changes: object) -> Abstention:
    plain = Abstention(seat=seat, stage=stage, reason=AbstentionReason.MODEL_UNAVAILABLE)
    return plain.model_copy(update=changes)


def test_a_mixed_council_that_agrees_has_none() -> None:
    assert cautions(PANEL, ended(*AGREED)) == []


class TestModels:
    def test_one_model_under_two_names_is_one(self) -> None:
        twins = tuple(model.model_copy(update={"model_name": "same", "base_url": model.name}) for model in MODELS)
        task = PANEL.model_copy(update={"models": twins})
        assert told(task, ended(*AGREED)) == (
            "HomogeneousCouncil: all 3 seats use one model, so they tend to make the same mistakes",
        )

    def test_revisions_are_different_models(self) -> None:
        revisions = tuple(model.model_copy(update={"model_name": "same", "revision": model.name}) for model in MODELS)
        assert cautions(PANEL.model_copy(update={"models": revisions}), ended(*AGREED)) == []

    def test_a_single_seat_is_no_homogeneous_council(self) -> None:
        assert cautions(build_task(1), ended(answers=1)) == []

    def test_a_simulated_model_is_told_though_only_one_seat_uses_it(self) -> None:
        models = (MODELS[0].model_copy(update={"simulated": True}), *MODELS[1:])
        assert told(PANEL.model_copy(update={"models": models}), ended(*AGREED)) == (
            "Simulated: a model of this Council only pretends, so the answers mean nothing",
        )

    def test_an_unused_simulated_model_is_not_told(self) -> None:
        models = (*MODELS[:3], MODELS[3].model_copy(update={"simulated": True}))
        assert cautions(PANEL.model_copy(update={"models": models}), ended(*AGREED)) == []


class TestAbstentions:
    def test_they_are_counted_by_stage(self) -> None:
        standing = ended(
            abstain("s-2"),
            ballot("s-0", {"s-1": 3}),
            abstain("s-1", Stage.JUDGE),
            abstain("s-0", Stage.CRITIQUE, round=1),
            abstain("s-0", Stage.EXCHANGE, round=1),
            abstain("s-1", Stage.EXCHANGE, round=2),
        )
        assert find_cautions(PANEL, standing, NOTHING) == (
            "QuorumPartial: 1 of 3 seats gave no proposal",
            "ExchangePartial: critiques or revisions that did not come: 3; what stood before them stands",
            "BallotsPartial: 1 of 2 judges gave no ballot",
        )

    def test_a_sample_or_a_second_ballot_that_did_not_come_is_no_missing_seat(self) -> None:
        standing = ended(*AGREED, abstain("s-1", Stage.JUDGE, turn=1))
        standing = standing._replace(
            abstentions={**standing.abstentions, Ask(Stage.PROPOSE, "s-0", 0, 1): abstain("s-0")}
        )
        assert find_cautions(PANEL, standing, NOTHING) == ()

    def test_a_vote_that_was_not_needed_is_told_as_that(self) -> None:
        standing = ended(propose("s-0"), propose("s-1"), abstain("s-2", reason=AbstentionReason.NOT_NEEDED))
        assert told(VOTE, standing) == (
            "StoppedEarly: votes that were not waited for: 1; they could not change the winner",
        )

    def test_a_stop_that_may_err_says_so_and_which_it_was(self) -> None:
        vote = build_vote(9, stop=Stop.BETA)
        votes = (propose(f"s-{i}") for i in range(4))
        spared = (abstain(f"s-{i}", reason=AbstentionReason.NOT_NEEDED) for i in range(4, 9))
        warnings = told(vote, stand(vote, *votes, *spared))
        assert "StoppedEarly: votes that were not waited for: 5; stop Beta is only 95% sure of the winner" in warnings

    def test_a_budget_that_did_not_last_is_told(self) -> None:
        spent = abstain("s-2", Stage.JUDGE, reason=AbstentionReason.BUDGET_EXHAUSTED)
        assert told(PANEL, ended(*AGREED[:2], spent))[-1] == (
            "BudgetExhausted: budget.tokens did not pay for everything; the result rests on what it did"
        )


def test_ballots_that_were_written_where_decisions_were_wanted_are_told() -> None:
    decided = [one.model_copy(update={"decided": True}) for one in AGREED]
    wanted = PANEL.model_copy(update={"judging": Judging.DECISIONS})
    assert told(wanted, ended(*decided)) == ()
    assert told(wanted, ended(*decided[:2], AGREED[2])) == (
        "NotDecided: 1 of 3 ballots were written: no decisions endpoint",
    )
    assert told(PANEL, ended(*AGREED)) == ()


def test_answers_that_end_in_the_middle_are_counted() -> None:
    cut_off = propose("s-0", TEXTS[0]).model_copy(update={"cut_off": True})
    advice = "answers met the token limit and end in the middle; raise the members' sampling.maxTokens"
    assert told(PANEL, ended(cut_off, *AGREED)) == (f"CutOff: 1 of 3 {advice}",)
    synthesis = Synthesis(seat="s-0", answer="so", cut_off=True)
    assert told(PANEL, ended(synthesis, cut_off, *AGREED)) == (f"CutOff: 2 of 4 {advice}",)


class TestAgreement:
    def test_judges_in_a_circle_agree_little(self) -> None:
        assert told(PANEL, ended(*CIRCLE)) == (
            "LowAgreement: the judges' rankings differ much, W=0.00",
            "Cycle: the judges' majorities go round in a circle; a rule other than ScoreMean may differ",
        )

    @pytest.mark.parametrize(
        ("kendall_w", "pairwise", "warnings"),
        [
            (Fraction(49, 100), Fraction(1), ("LowAgreement: the judges' rankings differ much, W=0.49",)),
            (Fraction(49, 100), None, ("LowAgreement: the judges' rankings differ much, W=0.49",)),
            (Fraction(1, 2), Fraction(0), ()),
            (None, Fraction(66, 100), ("LowAgreement: two judges order two proposals alike only 66% of the time",)),
            (None, Fraction(0), ("LowAgreement: two judges order two proposals alike only 0% of the time",)),
            (None, Fraction(2, 3), ()),
            (None, None, ()),
        ],
    )
    def test_half_is_enough_agreement_of_judges(
        self, kendall_w: Fraction | None, pairwise: Fraction | None, warnings: tuple[str, ...]
    ) -> None:
        standing = ended(*AGREED)
        findings = replace(examine(PANEL, standing), kendall_w=kendall_w, pairwise=pairwise)
        assert find_cautions(PANEL, standing, findings) == warnings

    def test_a_vote_needs_more_than_half_to_agree(self) -> None:
        split = ended(propose("s-0", "left"), propose("s-1", "right"), answers=2)
        assert told(VOTE, split) == ("LowAgreement: no answer has more than half of the votes; the first has 50%",)
        assert cautions(VOTE, ended(propose("s-0", "left"), propose("s-1", "left"), propose("s-2", "right"))) == []


class TestJudges:
    def test_for_want_of_others_judges_score_their_own_model(self) -> None:
        seats = tuple(seat.model_copy(update={"model": "m-0"}) for seat in PANEL.seats[:2])
        task = PANEL.model_copy(update={"seats": (*seats, PANEL.seats[2])})
        assert told(task, ended(*AGREED[:2])) == (
            "SameModelJudged: for want of others, judges scored proposals of their own model, which they tend to like",
        )

    def test_judges_that_follow_the_order_of_the_list_are_told(self) -> None:
        reverse = {"s-0": {"s-1": 1, "s-2": 2}, "s-1": {"s-0": 4, "s-2": 5}, "s-2": {"s-0": 4, "s-1": 3}}
        again = tuple(ballot(judge, given).model_copy(update={"order": 1}) for judge, given in reverse.items())
        assert told(PANEL, ended(*AGREED, *again))[-1] == (
            "PositionBias: judges kept only 33% of their comparisons when they read in the other order"
        )
        same = tuple(given.model_copy(update={"order": 1}) for given in AGREED)
        assert cautions(PANEL, ended(*AGREED, *same)) == []

    @pytest.mark.parametrize(("consistency", "warnings"), [(None, 0), (Fraction(64, 100), 1), (Fraction(13, 20), 0)])
    def test_as_consistent_as_gpt_4_is_enough(self, consistency: Fraction | None, warnings: int) -> None:
        findings = replace(examine(PANEL, ended(*AGREED)), position_consistency=consistency)
        assert len(find_cautions(PANEL, ended(*AGREED), findings)) == warnings

    def test_an_order_that_is_not_the_declared_rule_s_is_told(self) -> None:
        task = PANEL.model_copy(update={"aggregation": Aggregation.KEMENY})
        findings = examine(task, ended(*AGREED))
        inexact = replace(findings, ranking=replace(findings.ranking, exact=False))
        assert find_cautions(task, ended(*AGREED), inexact) == (
            "KemenyInexact: too many proposals stand in a circle to weigh every order; those are in Borda's order",
        )


class TestEchoes:
    def test_proposals_that_share_their_wording_are_told(self) -> None:
        alike = (propose(f"s-{i}", f"{TEXTS[0]} number {i}") for i in range(3))
        standing = ended(*alike, *AGREED)
        findings = replace(examine(PANEL, standing), mean_distance=0.125)
        assert cautions(PANEL, standing) == ["LowDiversity"]
        assert find_cautions(PANEL, standing, findings) == (
            "LowDiversity: the proposals share most of their wording (distance 0.12): a possible echo",
        )

    @pytest.mark.parametrize(("distance", "warnings"), [(None, 0), (0.0, 1), (0.29, 1), (0.3, 0)])
    def test_a_distance_of_three_tenths_is_enough(self, distance: float | None, warnings: int) -> None:
        assert len(find_cautions(VOTE, ended(), Findings(Ranking(()), mean_distance=distance))) == warnings


class TestSynthesis:
    TASK = PANEL.model_copy(update={"synthesiser": "s-0"})

    def test_a_synthesis_that_did_not_come_is_told(self) -> None:
        assert told(self.TASK, ended(*AGREED)) == (
            "NotSynthesised: the synthesis did not come, so the best proposal is the result",
        )

    def test_one_that_came_is_not(self) -> None:
        assert cautions(self.TASK, ended(Synthesis(seat="s-0", answer="so"), *AGREED)) == []

    def test_nor_is_one_of_a_run_that_did_not_get_so_far(self) -> None:
        assert cautions(self.TASK, ended(*AGREED, outcome=Outcome.CANCELLED)) == []


def test_a_mixture_s_texts_are_no_votes() -> None:
    task = mixed(build_task(3, ResolvedStrategy.MIXTURE_OF_AGENTS))
    assert cautions(task, ended(Synthesis(seat="s-0", answer="so"))) == []
