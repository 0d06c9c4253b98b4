import math

import pytest

from deliberation.api.v1alpha1.strategy import Judging
from deliberation.engine.asks import Ask
from deliberation.engine.budget import can_pay, count_spent, reserve
from deliberation.engine.request import build_request
from deliberation.engine.standing import Standing, Wave
from deliberation.engine.strategies import Leg
from deliberation.protocol.entries import Stage
from unit.deliberation.engine.scripted import ballot, build_task, propose, stand

TASK = build_task(3)
ASK = Ask(Stage.PROPOSE, "s-0")
PROMPT = len(build_request(TASK, Standing(), ASK).messages[0]["content"].encode())
ONE = math.ceil(PROMPT / 3) + 1024
"""Three bytes to a token, rounded up, and all that the seat may write."""


def test_an_ask_is_taken_for_as_dear_as_it_may_be() -> None:
    assert reserve(TASK, Standing(), ASK) == ONE


@pytest.mark.parametrize("more", ["", "x", "xx", "é"])
def test_of_a_prompt_its_bytes_count_and_a_part_of_a_token_is_one(more: str) -> None:
    task = TASK.model_copy(update={"question": f"{TASK.question}{more}"})
    assert reserve(task, Standing(), ASK) == math.ceil((PROMPT + len(more.encode())) / 3) + 1024


def test_half_of_a_character_costs_no_more_than_a_question_mark() -> None:
    halved, asked = (TASK.model_copy(update={"question": f"Which way{end}"}) for end in ("\ud800", "?"))
    assert reserve(halved, Standing(), ASK) == reserve(asked, Standing(), ASK)


def test_what_was_spent_is_what_the_servers_counted_read_and_written() -> None:
    standing = stand(TASK, propose("s-0"), propose("s-1"), propose("s-2"), ballot("s-0", {"s-1": 3, "s-2": 2}))
    assert count_spent(standing) == 3 * (100 + 10) + 300 + 30
    assert count_spent(Standing()) == 0


def test_a_wave_is_paid_when_the_budget_holds_all_of_it_after_what_was_spent() -> None:
    spent = {"s-2": propose("s-2")}
    asks = (ASK, Ask(Stage.PROPOSE, "s-1"))
    standing = Standing(proposals=spent, rounds=(spent,), wave=Wave(Leg(Stage.PROPOSE, 0, 0), asks))
    needed = 110 + sum(reserve(TASK, standing, ask) for ask in asks)
    assert needed > 110 + ONE
    assert can_pay(TASK.model_copy(update={"budget_tokens": needed}), standing)
    assert not can_pay(TASK.model_copy(update={"budget_tokens": needed - 1}), standing)
    assert can_pay(TASK, standing)


def test_of_decisions_every_question_may_cost_the_whole_text_in_either_direction() -> None:
    standing = stand(TASK, *(propose(f"s-{i}", "Go on and on and on. " * 9) for i in range(3)))
    ballot_of = Ask(Stage.JUDGE, "s-0")
    task = TASK.model_copy(update={"judging": Judging.DECISIONS})
    decisions = build_request(task, standing, ballot_of).decisions
    assert decisions is not None
    assert len(decisions.questions) == 2 * 3
    read = len(decisions.input.encode()) // 3
    assert 12 * read < reserve(task, standing, ballot_of) < 12 * (read + 80)
    assert reserve(task, standing, ballot_of) > reserve(TASK, standing, ballot_of)
