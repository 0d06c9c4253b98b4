"""A ballot that cannot be read is asked for once more."""

from dataclasses import replace

import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine.asks import Contribution
from deliberation.engine.request import find_repair
from deliberation.prompts.stages import repair_prompt
from deliberation.protocol.chat import Reply
from deliberation.protocol.entries import Abstention, Stage, Usage
from deliberation.protocol.tasks import Task
from unit.deliberation.engine.panel import PANEL, request_of
from unit.deliberation.engine.scripted import ballot


def unread(reason: AbstentionReason, stage: Stage = Stage.JUDGE) -> Abstention:
    return Abstention(seat="s-1", stage=stage, reason=reason, message="the reply holds no whole JSON object")


def test_a_ballot_that_cannot_be_read_is_asked_for_again_with_its_fault_named() -> None:
    request = request_of(Stage.JUDGE, "s-1")
    reply = Reply("All are fine.", "stop", Usage())
    repair = find_repair(PANEL, request, reply, unread(AbstentionReason.MALFORMED_ANSWER))
    assert repair is not None
    fault = repair_prompt("the reply holds no whole JSON object")
    again = ({"role": "assistant", "content": "All are fine."}, {"role": "user", "content": fault})
    assert repair == replace(request, messages=(*request.messages, *again))


def test_what_is_shown_of_an_unreadable_ballot_is_bounded() -> None:
    long = Reply("é" * 100_000, "length", Usage())
    repair = find_repair(PANEL, request_of(Stage.JUDGE, "s-1"), long, unread(AbstentionReason.TRUNCATED))
    assert repair is not None
    assert repair.messages[1]["content"] == "é" * 4096


@pytest.mark.parametrize(
    ("task", "entry"),
    [
        (PANEL, ballot("s-1", {})),
        (PANEL, unread(AbstentionReason.MALFORMED_ANSWER, Stage.PROPOSE)),
        (PANEL, unread(AbstentionReason.MODEL_UNAVAILABLE)),
        (PANEL.model_copy(update={"budget_tokens": 10**6}), unread(AbstentionReason.MALFORMED_ANSWER)),
    ],
)
def test_nothing_else_is_asked_for_again_and_nothing_that_no_budget_was_kept_for(
    task: Task, entry: Contribution | Abstention
) -> None:
    assert find_repair(task, request_of(Stage.JUDGE, "s-1"), Reply("no", "stop", Usage()), entry) is None
