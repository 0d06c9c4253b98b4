"""Debate among copies of one model, as a null model: it moves votes together, but not towards the truth.

Agents are Dirichlet-compound-multinomial (Choi, Zhu and Li, arXiv 2508.17536): each starts from a prior belief in the
right answer, states an answer drawn from its belief, and updates by all answers it reads. Every outcome is counted; who
is asked again, what it reads, and who wins, the engine says.
"""

import math
from collections import defaultdict
from dataclasses import dataclass

import pytest

from deliberation.api.v1alpha1.deliberation import Answer, AnswerType
from deliberation.engine.fold import fold
from deliberation.engine.reading import build_listing
from deliberation.engine.votes import count_answers
from deliberation.protocol.entries import LedgerRecord, Proposal
from deliberation.protocol.tasks import ResolvedStrategy
from fakes.tasks import build_task

AGENTS, STRENGTH_OF_PRIOR, ROUNDS = 5, 4, 6
BINARY = Answer(type=AnswerType.CHOICE, choices=("right", "wrong"))


@dataclass(frozen=True)
class Moment:
    """What the engine makes of a round in which some seats were right: who is asked again, and who wins the vote."""

    asked_of_right: int
    asked_of_wrong: int
    is_right_first: bool


def look(right: int, *, keep_if_majority: bool) -> Moment:
    """Return what the engine does after a round with so many right answers; whoever is asked reads all of them."""
    task = build_task(AGENTS, ResolvedStrategy.DEBATE, answer=BINARY, keep_if_majority=keep_if_majority)
    answers = {seat.id: "right" if place < right else "wrong" for place, seat in enumerate(task.seats)}
    entries = [Proposal(seat=seat, answer=answer) for seat, answer in answers.items()]
    standing = fold(task, [LedgerRecord(number, entry.key, entry) for number, entry in enumerate(entries, 1)])
    asked = [answers[ask.seat] for ask in standing.missing]
    for ask in standing.missing:
        read = [proposal.answer for proposal in build_listing(task, standing, ask).values()]
        assert (len(read), read.count("right")) == (AGENTS, right)
    first = count_answers(task, standing.proposals)[0].answer
    return Moment(asked.count("right"), asked.count("wrong"), first == "right")


MOMENTS = {
    keep_if_majority: [look(right, keep_if_majority=keep_if_majority) for right in range(AGENTS + 1)]
    for keep_if_majority in (False, True)
}


def debate(competence: float, *, keep_if_majority: bool = False) -> list[tuple[float, float]]:
    """Return for each round the mean belief in the right answer, and how often the vote finds it.

    The state is how many answers were read, how many of them were right, and how many of the last ones were right. Who
    is not asked again repeats itself, and the others draw.
    """
    moments = MOMENTS[keep_if_majority]
    states = {(0, 0, 0): 1.0}
    told = []
    for _ in range(ROUNDS):
        following: dict[tuple[int, int, int], float] = defaultdict(float)
        for (read_right, read, last), chance in states.items():
            belief = (competence * STRENGTH_OF_PRIOR + read_right) / (STRENGTH_OF_PRIOR + read)
            moment = moments[last] if read else Moment(0, AGENTS, is_right_first=False)
            kept_right = last - moment.asked_of_right
            drawing = moment.asked_of_right + moment.asked_of_wrong
            for drawn in range(drawing + 1):
                probability = math.comb(drawing, drawn) * belief**drawn * (1 - belief) ** (drawing - drawn)
                right = kept_right + drawn
                following[read_right + right, read + AGENTS, right] += chance * probability
        accuracy = sum(chance * moments[state[2]].is_right_first for state, chance in following.items())
        told.append((_mean_belief(states, competence), accuracy))
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
