"""A status told to a person is complete, readable, and can't steer the terminal."""

from typing import Any

import pytest

from demonstration.story import describe_council, describe_progress, is_finished, tell

FINISHED: dict[str, Any] = {
    "metadata": {"name": "slow-shop", "generation": 1},
    "spec": {"question": "What should we check first?"},
    "status": {
        "phase": "Succeeded",
        "simulated": False,
        "strategy": {"resolved": "Panel", "reason": "answer.type is Text"},
        "result": {"answer": "Check the slow query log.", "type": "Text", "proposalId": "qa-0", "tied": False},
        "proposals": [
            {
                "id": "qa-0",
                "rank": 1,
                "member": "qa",
                "seat": "qa-0",
                "model": "gemma3-270m",
                "answer": "Check the slow query log.",
                "sha256": "0" * 64,
                "scoreMilli": 712,
                "stderrMilli": 200,
                "criteria": [{"name": "correctness", "meanMilli": 4500, "ballots": 2}],
                "ballots": 2,
                "tokens": 31,
            },
            {
                "id": "developer-0",
                "rank": 2,
                "member": "developer",
                "seat": "developer-0",
                "model": "gemma3-270m",
                "answer": "Roll back\nand then look.",
                "sha256": "1" * 64,
                "scoreMilli": -712,
                "tokens": 40,
            },
        ],
        "votes": {
            "counts": [],
            "abstentions": [{"seat": "devops-0", "stage": "propose", "reason": "Truncated", "message": "cut at 160"}],
        },
        "agreement": {"summary": "W=0.84", "kendallWMilli": 840, "judges": 2},
        "warnings": ["HomogeneousCouncil"],
        "usage": {
            "calls": 5,
            "promptTokens": 1200,
            "cachedTokens": 800,
            "completionTokens": 300,
            "byStage": [{"name": "propose", "calls": 3}, {"name": "judge", "calls": 2}],
            "wallMilliseconds": 12_340,
        },
        "reproducibility": {
            "seed": 42,
            "promptSha256": "ab" * 32,
            "engineVersion": "1",
            "models": [{"name": "small", "model": "gemma3-270m"}],
        },
    },
}


def test_a_finished_deliberation_is_told_whole() -> None:
    assert (
        tell(FINISHED)
        == """\
Question
  What should we check first?

Answer of qa-0, by Panel (answer.type is Text)
  Check the slow query log.

Proposals, best first
  RANK  SEAT         SCORE  ±     CRITERIA (1 to 5)  TOKENS  BEGINS
  1     qa-0         +0.71  0.20  correctness 4.50   31      Check the slow query log.
  2     developer-0  -0.71  -                        40      Roll back and then look.

Votes
  devops-0 abstained (propose, Truncated) cut at 160

Reading it
  Agreement: W=0.84
  Warning: HomogeneousCouncil

Cost
  5 model calls (propose 3, judge 2)
  1200 tokens read (800 from cache), 300 written
  12.3 s from admission to verdict

To compare it with another run
  seed 42, prompt sha256 abababababababab, engine 1, models gemma3-270m"""
    )


def test_simulated_answers_say_so() -> None:
    told = tell({**FINISHED, "status": {**FINISHED["status"], "simulated": True}})
    assert "SIMULATED: a model only pretended, the answer means nothing." in told


def test_a_vote_shows_its_counts_and_leaves_out_empty_columns() -> None:
    status = {
        "phase": "Succeeded",
        "strategy": {"resolved": "Vote", "reason": "answer.type is Choice"},
        "result": {"answer": "wait", "type": "Choice", "proposalId": "qa-0", "tied": True},
        "proposals": [{"id": "qa-0", "rank": 1, "tiedWith": ["b-0"], "seat": "qa-0", "answer": "wait", "tokens": 3}],
        "votes": {"counts": [{"answer": "wait", "seats": 1}, {"answer": "release", "seats": 2}]},
    }
    told = tell({**FINISHED, "status": status})
    assert "Answer of qa-0, by Vote (answer.type is Choice); another proposal did as well" in told
    assert "  RANK  SEAT  TOKENS  BEGINS\n  1=    qa-0  3       wait" in told
    assert "  1 seat: wait\n  2 seats: release" in told


def test_a_failed_deliberation_says_why() -> None:
    condition = {"type": "Succeeded", "status": "False", "reason": "NoQuorum", "message": "1 of 2 proposals"}
    told = tell({**FINISHED, "status": {"phase": "Failed", "conditions": [condition]}})
    assert told == "Question\n  What should we check first?\n\nNo answer\n  NoQuorum: 1 of 2 proposals"


def test_model_text_cannot_steer_the_terminal() -> None:
    evil = {**FINISHED["status"]["result"], "answer": "\x1b[2Jgone\x07\u202e"}
    told = tell({**FINISHED, "status": {**FINISHED["status"], "result": evil}})
    assert "\x1b" not in told
    assert "\x07" not in told
    assert "\u202e" not in told


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ({}, "not seen by the operator yet"),
        (
            {"conditions": [{"type": "ModelsAvailable", "status": "False", "reason": "ModelStarting", "message": "m"}]},
            "ModelsAvailable: ModelStarting: m",
        ),
        (
            {
                "conditions": [{"type": "Ready", "status": "True", "reason": "Ready"}],
                "modelCount": "1/1",
                "seatCount": "3/3",
                "simulated": True,
            },
            "Ready: models 1/1, seats 3/3, simulated",
        ),
    ],
)
def test_a_council_is_described_by_what_it_waits_for(status: dict[str, Any], line: str) -> None:
    assert describe_council({"status": status}) == line


@pytest.mark.parametrize(
    ("status", "line", "finished"),
    [
        ({}, "Pending", False),
        (
            {"phase": "Deliberating", "progress": {"stage": "propose", "proposals": 2, "expected": 3}},
            "Deliberating: 2 of 3 proposals",
            False,
        ),
        (
            {"phase": "Ranking", "progress": {"proposals": 2, "expected": 3, "ballots": 1, "abstentions": 1}},
            "Ranking: 2 of 3 proposals, 1 ballots, 1 abstentions",
            False,
        ),
        ({"phase": "Cancelled"}, "Cancelled", True),
    ],
)
def test_progress_is_one_line(status: dict[str, Any], line: str, finished: bool) -> None:  # noqa: FBT001 -- a case
    assert describe_progress({"status": status}) == line
    assert is_finished({"status": status}) is finished
