import math
from itertools import product

import pytest

from deliberation.engine.votes import count_answers, list_votes
from unit.deliberation.engine.scripted import build_vote, propose


def test_every_proposal_is_a_vote_of_its_seat() -> None:
    task = build_vote(2)
    proposals = {"s-0": propose("s-0", "left"), "s-1": propose("s-1", "left")}
    assert [(vote.seat, vote.answer) for vote in list_votes(task, proposals)] == [("s-0", "left"), ("s-1", "left")]
    [cluster] = count_answers(task, proposals)
    assert (cluster.answer, cluster.seats) == ("left", ("s-0", "s-1"))


def accuracy(competences: tuple[float, ...], weights: tuple[int, ...]) -> float:
    """Return how often seats of these weights find the right one of two answers, over all that they can answer."""
    plain = build_vote(len(competences))
    seats = (seat.model_copy(update={"weight_milli": w}) for seat, w in zip(plain.seats, weights, strict=True))
    task = plain.model_copy(update={"seats": tuple(seats)})
    found = 0.0
    for outcome in product((True, False), repeat=len(competences)):
        given = {f"s-{i}": propose(f"s-{i}", "left" if right else "right") for i, right in enumerate(outcome)}
        chance = math.prod(p if right else 1 - p for p, right in zip(competences, outcome, strict=True))
        found += chance * (count_answers(task, given)[0].answer == "left")
    return found


@pytest.mark.parametrize(
    ("competences", "equal", "weighted"),
    [((0.9, 0.6, 0.6, 0.6, 0.6), 0.78624, 0.90000), ((0.85, 0.75, 0.65, 0.6, 0.55), 0.81614, 0.86413)],
)
def test_members_whose_weights_are_their_log_odds_are_right_more_often(
    competences: tuple[float, ...], equal: float, weighted: float
) -> None:
    log_odds = tuple(round(1000 * math.log(p / (1 - p))) for p in competences)
    assert accuracy(competences, (1000,) * 5) == pytest.approx(equal, abs=5e-6)
    assert accuracy(competences, log_odds) == pytest.approx(weighted, abs=5e-6)
