"""Debate among copies of one model, as a null model: it moves votes together, but not towards the truth.

Agents are Dirichlet-compound-multinomial (Choi, Zhu and Li, arXiv 2508.17536): each starts from a prior belief in the
right answer, states an answer drawn from its belief, and updates by all answers it reads. Every outcome is counted.
"""

import math
from collections import defaultdict

import pytest

from deliberation.aggregation.plurality import Vote, count_votes
from deliberation.api.v1alpha1.deliberation import Answer, AnswerType

AGENTS, STRENGTH_OF_PRIOR, ROUNDS = 5, 4, 6
BINARY = Answer(type=AnswerType.CHOICE, choices=("right", "wrong"))


def is_right_first(right: int) -> bool:
    answers = ["right"] * right + ["wrong"] * (AGENTS - right)
    return count_votes((Vote(f"s-{i}", text, 1000) for i, text in enumerate(answers)), BINARY)[0].answer == "right"


MAJORITIES = [is_right_first(right) for right in range(AGENTS + 1)]


def debate(competence: float, *, keep_if_majority: bool = False) -> list[tuple[float, float]]:
    """Return for each round the mean belief in the right answer, and how often the vote finds it.

    The state is how many right answers were read, and how many of the last ones were right. With `keep_if_majority`
    an agent that is of the absolute majority repeats itself, and the others draw.
    """
    states = {(0, 0, 0): 1.0}
    told = []
    for _ in range(ROUNDS):
        following: dict[tuple[int, int, int], float] = defaultdict(float)
        for (read_right, read, last), chance in states.items():
            belief = (competence * STRENGTH_OF_PRIOR + read_right) / (STRENGTH_OF_PRIOR + read)
            kept_right = last if keep_if_majority and read and 2 * last > AGENTS else 0
            kept_wrong = AGENTS - last if keep_if_majority and read and 2 * last < AGENTS else 0
            drawing = AGENTS - kept_right - kept_wrong
            for drawn in range(drawing + 1):
                probability = math.comb(drawing, drawn) * belief**drawn * (1 - belief) ** (drawing - drawn)
                right = kept_right + drawn
                following[read_right + right, read + AGENTS, right] += chance * probability
        told.append((_mean_belief(states, competence), sum(p * MAJORITIES[s[2]] for s, p in following.items())))
        states = dict(following)
    return told


def _mean_belief(states: dict[tuple[int, int, int], float], competence: float) -> float:
    return sum(
        chance * (competence * STRENGTH_OF_PRIOR + right) / (STRENGTH_OF_PRIOR + read)
        for (right, read, _), chance in states.items()
    )


@pytest.mark.parametrize("competence", [0.3, 0.7, 0.9])
def test_belief_stays_where_it_was(competence: float) -> None:
    assert [belief for belief, _ in debate(competence)] == pytest.approx([competence] * ROUNDS)


def test_the_vote_gets_worse_with_every_round() -> None:
    """The research drew 20,000 samples, so its values are within .0142 of the exact ones."""
    found = [accuracy for _, accuracy in debate(0.7)]
    assert found == sorted(found, reverse=True)
    assert found == pytest.approx([0.839, 0.804, 0.797, 0.792, 0.792, 0.788], abs=0.0142)
    assert found == pytest.approx([0.8369, 0.8081, 0.7988, 0.7942, 0.7914, 0.7896], abs=5e-5)
    expert = [accuracy for _, accuracy in debate(0.9)]
    assert (expert[0], expert[-1]) == pytest.approx((0.9914, 0.9682), abs=5e-5)


@pytest.mark.parametrize("competence", [0.3, 0.7, 0.9])
def test_those_who_keep_to_the_majority_keep_the_first_vote(competence: float) -> None:
    found = [accuracy for _, accuracy in debate(competence, keep_if_majority=True)]
    assert found == pytest.approx([found[0]] * ROUNDS)
