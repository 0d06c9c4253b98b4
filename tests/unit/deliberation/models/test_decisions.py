"""Decisions on the wire, and the ballots that they are."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.models.decisions import build_bodies, read_scores, write_ballot
from deliberation.models.replies import MalformedReplyError
from deliberation.protocol.chat import Decisions, ScoreQuestion
from deliberation.protocol.tasks import ModelAddress

ADDRESS = ModelAddress(name="small", base_url="u", model_name="qwen")
LEVELS = ("very poor", "poor", "fair", "good", "excellent")


def question(label: str = "A", criterion: str = "clarity") -> ScoreQuestion:
    return ScoreQuestion(label, criterion, f"How clear is {label}?", LEVELS)


def test_every_question_is_asked_from_worst_to_best_and_back() -> None:
    [body] = build_bodies(ADDRESS, Decisions("the answers", (question(),)))
    up = {
        "type": "score",
        "name": "A.clarity.up",
        "instructions": "How clear is A?",
        "levels": [{"label": level} for level in LEVELS],
    }
    down = up | {"name": "A.clarity.down", "levels": up["levels"][::-1]}
    assert body == {"model": "qwen", "input": "the answers", "questions": [up, down]}


@pytest.mark.parametrize(("questions", "calls"), [(32, [64]), (33, [64, 2]), (1, [2]), (0, [])])
def test_no_call_asks_more_than_servers_take(questions: int, calls: list[int]) -> None:
    asked = tuple(question(criterion=f"c-{number}") for number in range(questions))
    bodies = list(build_bodies(ADDRESS, Decisions("x", asked)))
    assert [len(body["questions"]) for body in bodies] == calls
    names = [one["name"] for body in bodies for one in body["questions"]]
    assert len(set(names)) == 2 * questions


@pytest.mark.parametrize(
    ("up", "down", "score"),
    [(0.0, 4.0, 1), (4.0, 0.0, 5), (3.6, 0.4, 5), (2.0, 2.0, 3), (4.0, 4.0, 3), (0.0, 0.0, 3), (1.0, 2.0, 3)],
)
def test_a_liking_for_places_of_the_list_cancels_out(up: float, down: float, score: int) -> None:
    """Who always takes the first level, or the last, has said nothing: the middle."""
    ballot = write_ballot([question()], {"A.clarity.up": up, "A.clarity.down": down})
    assert json.loads(ballot) == {"A": {"clarity": score}}


@given(st.floats(0, 4), st.floats(0, 4))
def test_every_score_is_one_of_a_ballot(up: float, down: float) -> None:
    ballot = json.loads(write_ballot([question()], {"A.clarity.up": up, "A.clarity.down": down}))
    assert ballot["A"]["clarity"] in range(1, 6)


@pytest.mark.parametrize("scores", [{}, {"A.clarity.up": 1.0}, {"A.clarity.up": 1.0, "A.clarity.down": 4.5}])
def test_what_was_not_answered_in_both_directions_is_left_out(scores: dict[str, float]) -> None:
    other = {"B.clarity.up": 4.0, "B.clarity.down": 0.0}
    assert json.loads(write_ballot([question(), question("B")], scores | other)) == {"B": {"clarity": 5}}


def body_of(*answers: Any) -> bytes:
    return json.dumps({"answers": answers}).encode()


def test_scores_are_read_by_name_and_refusals_are_none() -> None:
    score = {"type": "score", "name": "a", "score": 1.25, "probabilities": [], "confidence": 0.5}
    assert read_scores(body_of(score, {"type": "refusal", "name": "b"})) == {"a": 1.25}


@pytest.mark.parametrize("score", [True, None, "3", -0.1, 10, 10**400, float("nan"), float("inf"), [1]])
def test_what_is_no_level_is_no_score(score: Any) -> None:
    assert read_scores(body_of({"type": "score", "name": "a", "score": score})) == {}


@pytest.mark.parametrize("answer", [{"type": "score", "score": 1}, {"type": "score", "name": 1, "score": 1}, 5, None])
def test_an_answer_to_nothing_is_none(answer: Any) -> None:
    assert read_scores(body_of(answer)) == {}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"answers": 3}'])
def test_another_body_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedReplyError):
        read_scores(body)
