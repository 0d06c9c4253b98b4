from fractions import Fraction

import pytest

from deliberation.api.v1alpha1.deliberation import Answer
from deliberation.engine.findings import NOTHING, Findings, examine
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Proposal
from deliberation.protocol.tasks import ResolvedStrategy, Task
from unit.deliberation.engine.scripted import BOOLEAN, CHOICE, ballot, build_task, build_vote, propose
from unit.deliberation.engine.test_cautions import AGREED, CIRCLE, TEXTS, ended, mixed

PANEL = build_task(3)


def positions(task: Task, *answers: str, **changes: object) -> tuple[tuple[str, ...], ...]:
    proposals = [propose(f"s-{i}", text, 10 + i).model_copy(update=changes) for i, text in enumerate(answers)]
    return examine(task, ended(*proposals, answers=len(answers))).positions


def test_before_the_verdict_nothing_is_found() -> None:
    assert examine(PANEL, Standing()) is NOTHING


def test_what_judges_say_is_measured() -> None:
    found = examine(PANEL, ended(*CIRCLE))
    assert (found.kendall_w, found.pairwise, found.position_consistency) == (Fraction(0), None, None)
    incomplete = (
        ballot("s-0", {"s-1": 3, "s-2": 2, "s-3": 1}),
        ballot("s-1", {"s-2": 1, "s-3": 2}),
        ballot("s-2", {"s-0": 1, "s-1": 1, "s-3": 2}),
    )
    found = examine(build_task(4), ended(*incomplete, answers=4))
    assert (found.kendall_w, found.pairwise) == (None, Fraction(0))


def test_a_judge_s_two_readings_are_compared() -> None:
    again = AGREED[0].model_copy(update={"order": 1})
    assert examine(PANEL, ended(*AGREED, again)).position_consistency == 1


def test_length_is_that_of_answer_and_reasons() -> None:
    short, long = propose("s-2", "yes"), propose("s-0", "no").model_copy(update={"rationale": "for many reasons"})
    found = examine(build_task(3, answer=BOOLEAN), ended(short, propose("s-1", "false"), long, *AGREED))
    assert found.length_correlation == pytest.approx(1)


@pytest.mark.parametrize(("models", "expected"), [(build_vote(3), 1), (mixed(build_vote(3)), 3)])
def test_models_are_counted_by_their_weights(models: Task, expected: int) -> None:
    assert examine(models, ended(propose("s-0"), propose("s-1"), propose("s-2"))).models == expected


class TestPositions:
    def test_of_a_vote_they_are_its_answers(self) -> None:
        assert positions(build_vote(4), "left", "right", "right", "up") == (("s-1", "s-2"), ("s-0",), ("s-3",))

    def test_of_judged_closed_answers_they_are_the_answers_whoever_is_best(self) -> None:
        task = build_task(4, answer=CHOICE)
        assert positions(task, "left", "right", "right", "up") == (("s-0",), ("s-1", "s-2"), ("s-3",))

    def test_of_judged_texts_they_are_those_that_say_much_the_same(self) -> None:
        assert positions(build_task(4), TEXTS[0], TEXTS[1], TEXTS[1] + " now", TEXTS[0] + "!") == (
            ("s-0", "s-3"),
            ("s-1", "s-2"),
        )

    def test_of_a_mixture_s_texts_too(self) -> None:
        task = build_task(2, ResolvedStrategy.MIXTURE_OF_AGENTS)
        assert positions(task, TEXTS[0], TEXTS[0] + "!") == (("s-0", "s-1"),)
        assert examine(task, ended(answers=2)).pairwise is None

    def test_a_mixture_s_closed_answers_are_counted(self) -> None:
        task = build_task(3, ResolvedStrategy.MIXTURE_OF_AGENTS, answer=CHOICE)
        found = examine(task, ended(propose("s-0"), propose("s-1"), propose("s-2", "up")))
        assert (found.positions, found.pairwise) == ((("s-0", "s-1"), ("s-2",)), Fraction(1, 3))

    def test_of_nobody_there_are_none(self) -> None:
        assert positions(PANEL) == ()


class TestDistance:
    def test_of_open_answers_it_is_that_of_their_texts(self) -> None:
        assert examine(PANEL, ended()).mean_distance == 1
        assert examine(build_task(3, ResolvedStrategy.VOTE, answer=Answer()), ended()).mean_distance == 1

    def test_of_closed_answers_it_is_that_of_their_reasons(self) -> None:
        def reasoned(seat: str, text: str) -> Proposal:
            return propose(seat).model_copy(update={"rationale": text})

        assert examine(build_vote(2), ended(propose("s-0"), propose("s-1"), answers=2)).mean_distance is None
        same = ended(reasoned("s-0", TEXTS[0]), reasoned("s-1", TEXTS[0]), answers=2)
        assert examine(build_vote(2), same).mean_distance == 0


def test_a_debate_is_measured_against_its_first_round() -> None:
    task = build_task(3, ResolvedStrategy.DEBATE, answer=CHOICE)
    first = {f"s-{i}": propose(f"s-{i}", answer) for i, answer in enumerate(("left", "right", "right"))}
    last = {f"s-{i}": propose(f"s-{i}", "left").model_copy(update={"round": 1}) for i in range(3)}
    standing = ended()
    debated = Standing(proposals=last, rounds=(first, last), verdict=standing.verdict)
    found: Findings = examine(task, debated)
    assert [cluster.answer for cluster in found.ranking.clusters] == ["left"]
    assert [(cluster.answer, len(cluster.seats)) for cluster in found.baseline] == [("right", 2), ("left", 1)]
    assert examine(build_vote(3), debated).baseline == ()
