"""The samples, answered by a real model on a real vLLM: that they run through and read well, not that they are wise."""

import pytest

from demonstration.kubectl import Kubectl
from e2e.scene import await_answer, sample, sample_name

SEATS = 3


def test_the_council_says_that_nothing_is_simulated(reviewers: Kubectl) -> None:
    council = reviewers.find("councils", "reviewers")
    assert council
    assert council["status"]["simulated"] is False
    assert council["status"]["seatCount"] == "3/3"


@pytest.mark.parametrize(
    ("manifest", "strategy"),
    [
        ("deliberation", "Panel"),
        ("deliberation-synthesis", "Panel"),
        ("deliberation-vote", "Vote"),
        ("deliberation-json", "Panel"),
        ("deliberation-critique", "Critique"),
        ("deliberation-debate", "Debate"),
        ("deliberation-mixture", "MixtureOfAgents"),
    ],
)
def test_a_sample_is_answered(reviewers: Kubectl, manifest: str, strategy: str) -> None:
    reviewers.apply(sample(manifest))
    name = sample_name(manifest)
    status = await_answer(reviewers, name)["status"]
    assert status["simulated"] is False
    assert status["strategy"]["resolved"] == strategy
    assert status["result"]["answer"].strip()
    ranks = [proposal["rank"] for proposal in status["proposals"]]
    assert ranks == sorted(ranks)
    seats = {proposal["seat"] for proposal in status["proposals"]}
    abstained = {abstention["seat"] for abstention in status.get("votes", {}).get("abstentions", [])}
    assert len(seats | abstained) == SEATS
    assert status["usage"]["promptTokens"] > 0
    assert status["usage"]["completionTokens"] > 0
    assert status["usage"]["calls"] >= len(seats)


def test_a_closed_question_gets_one_of_its_choices(reviewers: Kubectl) -> None:
    reviewers.apply(sample("deliberation-vote"))
    assert await_answer(reviewers, sample_name("deliberation-vote"))["status"]["result"]["answer"] in {
        "release",
        "wait",
    }
