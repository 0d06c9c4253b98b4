from fractions import Fraction

from deliberation.api.v1alpha1.deliberation_result import Bias, Dissent
from deliberation.engine.findings import NOTHING, Findings, examine
from deliberation.engine.ranking import Ranking, rank
from deliberation.engine.standing import Standing
from deliberation.engine.telling import (
    milli,
    tell_agreement,
    tell_baseline,
    tell_bias,
    tell_dissent,
    tell_diversity,
    tell_effective_votes,
    tell_votes,
)
from deliberation.protocol.entries import Outcome, Verdict
from deliberation.protocol.tasks import ResolvedStrategy
from unit.deliberation.engine.scripted import CHOICE, build_task, build_vote, propose, stand
from unit.deliberation.engine.test_fold import abstain, all_proposals
from unit.deliberation.engine.test_report import BALLOTS, PANEL, report_on

VOTE = build_vote(4)


def ended(standing: Standing) -> Standing:
    return standing._replace(verdict=Verdict(outcome=Outcome.SUCCEEDED, counted=(), decided_at_ms=0))


def test_votes_show_as_much_of_each_text_and_as_many_abstentions_as_there_is_room_for() -> None:
    gone = [abstain(f"s-{i}").model_copy(update={"message": "unreachable"}) for i in (2, 3)]
    standing = ended(stand(VOTE, propose("s-0"), propose("s-1"), *gone))
    votes = tell_votes(VOTE, standing, examine(VOTE, standing), texts=3, abstentions=1)
    assert votes is not None
    assert [count.answer for count in votes.counts] == ["lef"]
    assert [(gone.seat, gone.message) for gone in votes.abstentions] == [("s-2", "unr")]


def test_a_run_without_votes_and_abstentions_tells_of_none() -> None:
    standing = stand(PANEL, *all_proposals())
    assert tell_votes(PANEL, standing, NOTHING, texts=9, abstentions=9) is None


class TestDissent:
    def test_a_position_shows_as_much_as_there_is_room_for(self) -> None:
        reasoned = propose("s-1", "upwards").model_copy(update={"rationale": "it is sunny"})
        standing = stand(PANEL, propose("s-0"), reasoned, propose("s-2", "upstairs"))
        findings = Findings(Ranking(()), positions=(("s-0",), ("s-2", "s-1")))
        assert tell_dissent(standing, findings, texts=4, seats=1) == (
            Dissent(seats=("s-2",), proposals=2, position="upst", reason="it i"),
        )

    def test_64_positions_are_told_at_most_and_none_is_the_result_s(self) -> None:
        standing = Standing(proposals={f"s-{i}": propose(f"s-{i}") for i in range(70)})
        findings = Findings(Ranking(()), positions=tuple((name,) for name in standing.proposals))
        told = tell_dissent(standing, findings, texts=9, seats=9)
        assert [dissent.seats for dissent in told] == [(f"s-{i}",) for i in range(1, 65)]

    def test_the_samples_of_one_seat_are_one_seat(self) -> None:
        samples = {"s-1": propose("s-1"), "s-1.1": propose("s-1").model_copy(update={"sample": 1})}
        findings = Findings(Ranking(()), positions=(("s-0",), tuple(samples)))
        [told] = tell_dissent(Standing(proposals=samples), findings, texts=9, seats=9)
        assert (told.seats, told.proposals) == (("s-1",), 2)


class TestAgreement:
    def test_one_voter_agrees_with_nobody(self) -> None:
        assert report_on(VOTE, propose("s-0")).agreement is None

    def test_pairs_of_judges_that_never_agree_are_told(self) -> None:
        ranking = rank(PANEL, stand(PANEL, *all_proposals(), *BALLOTS))
        agreement = tell_agreement(Findings(ranking, pairwise=Fraction(0)))
        assert agreement is not None
        assert (agreement.summary, agreement.pairwise_milli, agreement.judges) == ("P=0.00", 0, 3)


def test_bias_is_told_as_far_as_it_was_measured() -> None:
    assert tell_bias(NOTHING) is None
    consistent = Findings(Ranking(()), position_consistency=Fraction(1, 2))
    assert tell_bias(consistent) == Bias(position_consistency_milli=500)
    correlated = Findings(Ranking(()), length_correlation=-0.25)
    assert tell_bias(correlated) == Bias(length_score_correlation_milli=-250)


def test_of_no_proposals_neither_diversity_nor_votes_are_told() -> None:
    assert tell_diversity(NOTHING) is None
    assert tell_effective_votes(NOTHING) is None


class TestBaseline:
    TASK = build_task(3, ResolvedStrategy.DEBATE, answer=CHOICE, keep_if_majority=False)
    FIRST = tuple(propose(f"s-{i}", answer) for i, answer in enumerate(("left", "right", "right")))

    def test_it_shows_as_much_of_the_answer_as_there_is_room_for(self) -> None:
        standing = ended(stand(self.TASK, *self.FIRST))
        told = tell_baseline(examine(self.TASK, standing), "right", texts=2)
        assert told is not None
        assert (told.answer, told.winner_share_milli, told.margin_milli, told.changed) == ("ri", 667, 333, False)

    def test_without_a_result_nothing_has_changed(self) -> None:
        told = report_on(self.TASK, *self.FIRST, outcome=Outcome.TIMED_OUT).baseline
        assert told is not None
        assert not told.changed


def test_a_value_is_told_in_thousandths() -> None:
    assert (milli(Fraction(2, 3)), milli(0.0), milli(None)) == (667, 0, None)
