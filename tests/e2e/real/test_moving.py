"""A model server is replaced by another: no question waits for that, and no call that runs is lost."""

import copy
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from demonstration.kubectl import Body, Kubectl, find_condition, is_true
from e2e.real.server import FRUGAL, asked_directly
from e2e.scene import await_answer, await_gone, await_ready, council, deliberation, server_of

REVISION = "second"
LONG_ANSWER_TOKENS = 256
CHOICE = {"type": "Choice", "choices": ["release", "wait"]}


def with_model(body: Body, model: Body, **sampling: int) -> Body:
    """Return the Council on another model, with other sampling where some is given."""
    changed = copy.deepcopy(body)
    changed["spec"]["models"] = [model]
    for member in changed["spec"]["members"]:
        member["sampling"] = {"maxTokens": 128, **sampling}
    return changed


def revision_of(answer: Body) -> str | None:
    """Return the revision of the model that gave an answer."""
    (record,) = answer["status"]["reproducibility"]["models"]
    return str(record["revision"]) if "revision" in record else None


def has_moved(body: Body) -> bool:
    """Return whether a Council is where its spec wants it."""
    return is_true(body, "Ready") and (find_condition(body, "Reconciling") or {}).get("status") == "False"


def answers_during_the_move(namespace: Kubectl, name: str) -> list[Body]:
    """Put one question after the other to a Council until one is answered after it has moved."""
    answers: list[Body] = []
    for number in count():
        current = namespace.find("councils", name)
        assert current
        is_last = has_moved(current)
        namespace.apply(deliberation(f"{name}-{number}", name, answer=CHOICE))
        answers.append(await_answer(namespace, f"{name}-{number}"))
        if is_last:
            return answers
    raise AssertionError


def test_a_changed_revision_moves_without_a_gap_and_back_without_losing_a_call(
    reviewers: Kubectl, served_model: Body
) -> None:
    """The Council begins on the server that it shares with the others, so that only one more has to start."""
    new_model = copy.deepcopy(served_model)
    new_model["vllm"] |= {"revision": REVISION, "podTemplate": FRUGAL}
    body = with_model(council("movers", model=served_model, seats=1), served_model)
    reviewers.apply(body)
    await_ready(reviewers, "movers")
    before = server_of(reviewers, "movers")
    assert before == server_of(reviewers, "reviewers")

    reviewers.apply(with_model(body, new_model))
    answers = answers_during_the_move(reviewers, "movers")
    revisions = [revision_of(answer) for answer in answers]
    assert revisions == [None] * revisions.count(None) + [REVISION] * revisions.count(REVISION)
    assert revisions[0] is None, "the first question waited for the new server"
    assert revisions[-1] == REVISION
    assert all(answer["status"]["usage"]["calls"] == 1 for answer in answers)
    after = server_of(reviewers, "movers")
    assert after != before

    pods = reviewers.find_all("pods", selector=f"app.kubernetes.io/instance={after}")
    reviewers.apply(with_model(body, new_model, temperatureMilli=100))
    reviewers.wait_for("councils", "movers", has_moved, seconds=120)
    same = reviewers.find_all("pods", selector=f"app.kubernetes.io/instance={after}")
    assert [pod["metadata"]["uid"] for pod in same] == [pod["metadata"]["uid"] for pod in pods]

    with asked_directly(reviewers, after) as server, ThreadPoolExecutor() as pool:
        exactly: Body = {"min_tokens": LONG_ANSWER_TOKENS, "max_tokens": LONG_ANSWER_TOKENS, "ignore_eos": True}
        call = pool.submit(server.post, "/v1/completions", {"model": "gemma3-270m", "prompt": "Once", **exactly})
        reviewers.apply(with_model(body, served_model))
        reviewers.wait_for(
            "pods", pods[0]["metadata"]["name"], lambda pod: "deletionTimestamp" in pod["metadata"], seconds=120
        )
        assert not call.done(), "the call is over before the server is told to stop: make it longer"
        assert call.result()["usage"]["completion_tokens"] == LONG_ANSWER_TOKENS
    await_gone(reviewers, f"deployment/{after}", f"pod/{pods[0]['metadata']['name']}")
    reviewers.delete("councils", "movers")
