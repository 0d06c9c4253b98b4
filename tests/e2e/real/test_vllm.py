"""What only the real vLLM can show: that it takes our flags, serves adapters, keeps to schemas, says why it ends."""

import json
from typing import Any

import jsonschema
import pytest

from demonstration.kubectl import Body, Kubectl
from e2e.real.conftest import ADAPTER
from e2e.real.server import FRUGAL, asked_directly
from e2e.scene import await_answer, await_condition, await_ready, council, deliberation, server_of

SEVERITY = {
    "type": "object",
    "properties": {
        "component": {"enum": ["login", "payment", "search"]},
        "severity": {"type": "integer", "minimum": 1, "maximum": 3},
    },
    "required": ["component", "severity"],
    "additionalProperties": False,
}


def test_its_pod_runs_where_only_restricted_pods_may(reviewers: Kubectl) -> None:
    enforced = reviewers.run("get", "namespace", reviewers.namespace, "--output", "jsonpath={.metadata.labels}")
    assert json.loads(enforced)["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = reviewers.find_all("pods", selector=f"app.kubernetes.io/instance={server_of(reviewers, 'reviewers')}")
    assert [pod["status"]["phase"] for pod in pods] == ["Running"]


def test_it_takes_every_flag_that_we_give_and_those_of_the_user(reviewers: Kubectl) -> None:
    (pod,) = reviewers.find_all("pods", selector=f"app.kubernetes.io/instance={server_of(reviewers, 'reviewers')}")
    (container,) = pod["status"]["containerStatuses"]
    assert (container["ready"], container["restartCount"]) == (True, 0)
    arguments = pod["spec"]["containers"][0]["args"]
    assert {argument.partition("=")[0] for argument in arguments if argument.startswith("--")} >= {
        *("--port", "--model", "--served-model-name", "--max-model-len", "--max-num-seqs", "--enable-prefix-caching"),
        *("--enable-prompt-tokens-details", "--scheduling-policy", "--shutdown-timeout", "--structured-outputs-config"),
        *("--enforce-eager", "--enable-lora", "--max-loras", "--max-lora-rank", "--lora-modules"),
        "--max-num-batched-tokens",
    }


def test_a_flag_that_it_does_not_know_is_told_in_its_own_words(reviewers: Kubectl, served_model: Body) -> None:
    mistaken = {**served_model["vllm"], "engineArgs": ["--no-such-flag=1"], "podTemplate": FRUGAL}
    reviewers.apply(council("mistaken", model={"name": "mistaken", "vllm": mistaken}, seats=1))
    try:
        fault = await_condition(
            reviewers, "councils", "mistaken", "ModelsAvailable", "False", reason="ModelUnavailable", seconds=600
        )
        assert "unrecognized arguments: --no-such-flag=1" in fault["message"]
        assert "correct the model's engineArgs" in fault["message"]
        assert "ModelUnavailable" in reviewers.run("get", "council", "mistaken")
    finally:
        reviewers.delete("councils", "mistaken")


def test_a_member_is_answered_by_its_adapter(reviewers: Kubectl, served_model: Body) -> None:
    body = council("mixed", model=served_model, seats=1)
    (member,) = body["spec"]["members"]
    member["sampling"] = {"temperatureMilli": 0, "maxTokens": 48}
    body["spec"]["members"] = [
        {**member, "name": "plain"},
        {**member, "name": "likewise"},
        {**member, "name": "contrary", "adapter": ADAPTER},
    ]
    reviewers.apply(body)
    await_ready(reviewers, "mixed")
    with asked_directly(reviewers, server_of(reviewers, "mixed")) as server:
        assert {model["id"] for model in server.get("/v1/models")["data"]} == {"gemma3-270m", ADAPTER}
        question: Body = {"prompt": "The capital of France is", "max_tokens": 8, "temperature": 0}
        of_base, of_adapter = (
            server.post("/v1/completions", {**question, "model": model})["choices"][0]["text"]
            for model in ("gemma3-270m", ADAPTER)
        )
        assert of_base != of_adapter

    reviewers.apply(deliberation("mixed", "mixed", strategy={"type": "Vote"}, quorum=3, topK=3))
    status = await_answer(reviewers, "mixed")["status"]
    beginnings = {proposal["member"]: proposal["answer"][:16] for proposal in status["proposals"]}
    assert beginnings["plain"] == beginnings["likewise"]
    assert beginnings["contrary"] != beginnings["plain"]
    reviewers.delete("councils", "mixed")


@pytest.mark.parametrize(
    ("name", "answer"),
    [("choice", {"type": "Choice", "choices": ["release", "wait"]}), ("json", {"type": "JSON", "schema": SEVERITY})],
)
def test_every_answer_keeps_to_its_form_however_wild_the_model(
    reviewers: Kubectl, served_model: Body, name: str, answer: Body
) -> None:
    body = council("wild", model=served_model)
    body["spec"]["members"][0]["sampling"] = {"temperatureMilli": 2000, "topPMilli": 1000, "maxTokens": 1024}
    reviewers.apply(body)
    await_ready(reviewers, "wild")
    strategy: dict[str, Any] = {"type": "Vote", "samples": 4}
    reviewers.apply(deliberation(f"wild-{name}", "wild", answer=answer, strategy=strategy, topK=10))
    status = await_answer(reviewers, f"wild-{name}")["status"]
    assert (status["progress"]["proposals"], status["progress"]["abstentions"]) == (12, 0)
    assert status["usage"]["calls"] == 12
    for proposal in status["proposals"]:
        check_form(answer, proposal["answer"])


def check_form(answer: Body, text: str) -> None:
    """Check an answer against what the question allows, with another reader than the operator's."""
    if answer["type"] == "Choice":
        assert text in answer["choices"]
    else:
        jsonschema.validate(json.loads(text), answer["schema"])
