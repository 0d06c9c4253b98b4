"""What seats share is read once: a server with a prefix cache computes the shared beginning for the first of them only.

The numbers are of the simulated server's model of such a cache: whole blocks of 16 tokens, known by all that stands
before their end. A set of prompts then costs one computed block for each different beginning, whatever the order.
"""

from collections.abc import Iterable
from itertools import count
from typing import Any

import pytest

from deliberation.engine.asks import ask_of
from deliberation.engine.fold import fold
from deliberation.engine.request import build_request
from deliberation.local.operator import Finished
from deliberation.models import client
from deliberation.models.simulated.prefix_cache import BLOCK_CHARACTERS, BLOCK_TOKENS
from deliberation.prompts.shared import shared_prompt
from deliberation.protocol.entries import Stage
from simulation.scene import deliberate, only

CONTEXT = [{"name": "report", "text": "The shop answers in nine seconds instead of one. " * 40}]


def prompts_of(finished: Finished, *stages: Stage) -> list[str]:
    """Return the prompts of some stages, written anew from the ledger."""
    assert finished.task is not None
    standing = fold(finished.task, finished.ledger)
    asks = (ask for ask in map(ask_of, standing.list_entries()) if ask.stage in stages)
    requests = (build_request(finished.task, standing, ask) for ask in asks)
    return [request.messages[0]["content"] for request in requests]


def blocks_of(text: str) -> int:
    return len(text) // BLOCK_CHARACTERS


def count_beginnings(prompts: Iterable[str]) -> int:
    """Return the number of different beginnings of whole blocks: what must be computed, by whatever order."""
    return len({text[: block * BLOCK_CHARACTERS] for text in prompts for block in range(1, blocks_of(text) + 1)})


@pytest.mark.parametrize("seats", [2, 3, 5, 16])
async def test_proposals_of_any_number_of_seats_pay_the_shared_beginning_once(seats: int) -> None:
    done = await deliberate(seats, context=CONTEXT, answer={"type": "Boolean"})
    finished = only(done)
    assert finished.task is not None
    shared = blocks_of(shared_prompt(finished.task)) * BLOCK_TOKENS
    own = done.served["promptTokens"] - seats * shared
    assert shared > own / seats
    assert done.served["promptTokens"] - done.served["cachedTokens"] <= shared + own


@pytest.mark.parametrize("kind", ["Vote", "Panel", "Critique", "Debate", "MixtureOfAgents"])
@pytest.mark.parametrize("seats", [2, 3, 5, 16])
async def test_no_block_is_computed_twice(kind: str, seats: int) -> None:
    closed: dict[str, Any] = {"answer": {"type": "Boolean"}} if kind in {"Vote", "Debate"} else {}
    done = await deliberate(seats, context=CONTEXT, strategy={"type": kind}, **closed)
    prompts = prompts_of(only(done), *Stage)
    blocks = sum(map(blocks_of, prompts))
    assert done.served["cachedTokens"] == (blocks - count_beginnings(prompts)) * BLOCK_TOKENS


@pytest.mark.parametrize("seats", [2, 3, 5, 16])
async def test_judges_pay_nothing_for_what_the_proposals_have_paid(seats: int) -> None:
    finished = only(await deliberate(seats, context=CONTEXT))
    assert finished.task is not None
    shared = blocks_of(shared_prompt(finished.task))
    proposed, judged = (prompts_of(finished, stage) for stage in (Stage.PROPOSE, Stage.JUDGE))
    computed = count_beginnings((*proposed, *judged)) - count_beginnings(proposed)
    assert computed <= sum(blocks_of(prompt) - shared for prompt in judged)


async def test_one_volatile_byte_at_the_beginning_would_cost_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof can fail: a counter before the shared text leaves nothing to find in the cache."""
    numbers, build_body = count(), client.build_body

    def spoil(*arguments: Any) -> dict[str, Any]:
        body = build_body(*arguments)
        [message] = body["messages"]
        return {**body, "messages": [{**message, "content": f"{next(numbers):02d}{message['content']}"}]}

    assert (await deliberate(5, context=CONTEXT)).served["cachedTokens"] > 0
    monkeypatch.setattr(client, "build_body", spoil)
    assert (await deliberate(5, context=CONTEXT)).served["cachedTokens"] == 0
