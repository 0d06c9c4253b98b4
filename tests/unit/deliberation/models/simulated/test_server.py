"""The simulated server as a client sees it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from deliberation.engine.asks import Ask
from deliberation.engine.request import build_request
from deliberation.engine.standing import Standing
from deliberation.models.client import ChatClient
from deliberation.models.routing import Load, read_load
from deliberation.models.simulated.answering import Traits
from deliberation.models.simulated.prefix_cache import BLOCK_TOKENS
from deliberation.models.simulated.server import SimulatedModel, build_app
from deliberation.prompts.shared import shared_prompt
from deliberation.protocol.chat import Access
from deliberation.protocol.entries import Stage
from deliberation.protocol.tasks import ModelAddress, SeatTask
from unit.deliberation.models.simulated.test_prompts import build_task

Served = TestClient[Any, Any]
Serve = Callable[..., Awaitable[Served]]

QUICK = Traits(latency_milliseconds=0)
BODY: dict[str, Any] = {"model": "simulated", "messages": [{"role": "user", "content": "Which way is north? " * 20}]}


class StoppedClock:
    def now_ms(self) -> int:
        return 0


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(traits: Traits = QUICK, name: str = "simulated", api_key: str | None = None) -> Served:
            client: Served = TestClient(TestServer(build_app(SimulatedModel(name, traits, api_key))))
            return await stack.enter_async_context(client)

        yield start


async def post(client: Served, **changes: Any) -> tuple[int, dict[str, Any]]:
    async with client.post("/v1/chat/completions", json={**BODY, **changes}) as response:
        assert response.headers["X-Simulated"] == "true"
        return response.status, await response.json()


async def stats(client: Served) -> dict[str, int]:
    async with client.get("/stats") as response:
        counts: dict[str, int] = await response.json()
        return counts


async def test_every_reply_says_that_it_is_simulated(serve: Serve) -> None:
    status, body = await post(await serve())
    assert status == 200
    assert (body["model"], body["system_fingerprint"]) == ("simulated", "simulated")
    assert "Simulated" in body["choices"][0]["message"]["content"]
    _, body = await post(await serve(name="gpt-x"), model="gpt-x")
    assert body["model"] == "gpt-x (simulated)"


async def test_equal_requests_get_equal_answers_in_any_order_on_any_server(serve: Serve) -> None:
    one, other = await serve(), await serve()
    seeds = range(20)
    first = [(await post(one, seed=seed))[1]["choices"] for seed in seeds]
    second = [(await post(other, seed=seed))[1]["choices"] for seed in reversed(seeds)]
    assert first == second[::-1]
    assert len({json.dumps(choices) for choices in first}) > 1


async def test_calls_and_repeats_are_counted(serve: Serve) -> None:
    client = await serve()
    for seed in (1, 2, 1):
        await post(client, seed=seed)
    await post(client, model="other")
    counts = await stats(client)
    assert (counts["calls"], counts["distinct"], counts["repeats"], counts["failures"]) == (3, 2, 1, 0)


async def test_usage_counts_tokens_and_what_a_prefix_cache_saves(serve: Serve) -> None:
    client = await serve()
    prompt = "x" * 640
    _, first = await post(client, messages=[{"role": "user", "content": prompt + "one"}])
    _, second = await post(client, messages=[{"role": "user", "content": prompt + "two"}])
    assert first["usage"]["prompt_tokens"] == second["usage"]["prompt_tokens"] == 161
    assert first["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}
    assert second["usage"]["prompt_tokens_details"] == {"cached_tokens": 160}
    assert first["usage"]["completion_tokens"] > 0


async def test_seats_of_one_run_share_what_comes_first_in_their_prompts(serve: Serve) -> None:
    seats = tuple(SeatTask(id=f"qa-{number}", member="qa", role="QA", model="small") for number in range(3))
    task = build_task("Which way is north? " * 50, seats=seats)
    client = await serve()
    address = ModelAddress(name="small", base_url=str(client.make_url("/v1")), model_name="simulated")
    chat = ChatClient()
    replies = []
    for seat in seats:
        request = build_request(task, Standing(), Ask(Stage.PROPOSE, seat.id))
        replies.append(await chat.complete(address, Access, request, 60_000, StoppedClock()))
    await chat.close()
    assert replies[0].usage.cached_tokens == 0
    for reply in replies[1:]:
        assert reply.usage.cached_tokens >= len(shared_prompt(task)) // 4 - BLOCK_TOKENS


async def test_a_failed_request_may_succeed_when_it_is_made_again(serve: Serve) -> None:
    traits = Traits(latency_milliseconds=0, failure_percent=50)
    client, again = await serve(traits), await serve(traits)
    statuses = [[(await post(client, seed=seed))[0] for _ in range(10)] for seed in range(30)]
    first = [tries[0] for tries in statuses]
    assert 5 < first.count(500) < 25
    assert all(200 in tries for tries in statuses)
    assert [(await post(again, seed=seed))[0] for seed in range(30)] == first
    assert (await stats(client))["failures"] == sum(tries.count(500) for tries in statuses)


async def test_declared_failures_say_that_they_were(serve: Serve) -> None:
    status, body = await post(await serve(Traits(latency_milliseconds=0, failure_percent=100)))
    assert (status, body["error"]["message"]) == (500, "Simulated model: this failure was declared")


async def test_latency_is_kept_by_each_call_and_shared_by_all_at_once(serve: Serve) -> None:
    client = await serve(Traits(latency_milliseconds=400))
    clock = asyncio.get_running_loop().time
    begin = clock()
    await asyncio.gather(*(post(client, seed=seed) for seed in range(10)))
    assert 0.4 <= clock() - begin < 4.0


async def test_beyond_its_batch_calls_wait_and_its_metrics_tell_how_many(serve: Serve) -> None:
    client = await serve(Traits(latency_milliseconds=60_000, batch=2))
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(post(client, seed=seed)) for seed in range(5)]
        async with asyncio.timeout(30):
            while (await stats(client))["waiting"] < len(calls):
                pass
        async with client.get("/metrics") as response:
            assert read_load(await response.text()) == Load(running=2, waiting=3)
        for call in calls:
            call.cancel()


async def test_a_call_begins_when_another_one_ends(serve: Serve) -> None:
    client = await serve(Traits(latency_milliseconds=1, batch=1))
    replies = await asyncio.gather(*(post(client, seed=seed) for seed in range(5)))
    assert [status for status, _ in replies] == [200] * 5


async def test_an_answer_ends_at_the_token_limit(serve: Serve) -> None:
    _, body = await post(await serve(), max_tokens=2)
    (choice,) = body["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Simulate", "length")
    assert body["usage"]["completion_tokens"] == 2


async def test_the_key_guards_all_but_health_and_counts(serve: Serve) -> None:
    client = await serve(api_key="secret")
    assert (await post(client))[0] == 401
    for path, status in (("/v1/models", 401), ("/health", 200), ("/stats", 200)):
        async with client.get(path) as response:
            assert response.status == status
    for header, status in (("Bearer secret", 200), ("Bearer wrong", 401), ("secret", 401), ("", 401)):
        async with client.get("/v1/models", headers={"Authorization": header}) as response:
            assert response.status == status


async def test_the_client_of_seats_can_probe_it(serve: Serve) -> None:
    client = await serve(api_key="secret")
    address = ModelAddress(name="small", base_url=str(client.make_url("/v1")), model_name="simulated")
    chat = ChatClient()
    assert (await chat.probe(address, Access("secret"))).reason is None
    assert (await chat.probe(address, Access())).reason == "Unauthorized"
    assert (
        await chat.probe(address.model_copy(update={"model_name": "qwen"}), Access("secret"))
    ).reason == "ModelNotServed"
    await chat.close()


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"model": "qwen"}, 404, "the model is simulated"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "user"}]}, 400, "messages.0.content"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"n": 2}, 400, "n: "),
        ({"stream": True}, 400, "does not stream"),
    ],
)
async def test_what_it_cannot_do_is_refused(serve: Serve, changes: dict[str, Any], status: int, words: str) -> None:
    refused, body = await post(await serve(), **changes)
    assert refused == status
    assert words in body["error"]["message"]


async def test_what_is_not_json_is_refused(serve: Serve) -> None:
    client = await serve()
    async with client.post("/v1/chat/completions", data=b"{") as response:
        assert response.status == 400


QUESTIONS = [
    {
        "type": "score",
        "name": name,
        "instructions": "How good is answer A?",
        "levels": [{"label": level} for level in levels],
    }
    for name, levels in (("up", ("poor", "excellent")), ("down", ("excellent", "poor")))
]
DECISIONS: dict[str, Any] = {"model": "simulated", "input": "Which way is north? " * 20, "questions": QUESTIONS}


async def decide(client: Served, **changes: Any) -> tuple[int, Any]:
    async with client.post("/v1/decisions", json={**DECISIONS, **changes}) as response:
        return response.status, await response.json() if response.content_type == "application/json" else None


class TestDecisions:
    async def test_levels_mean_the_same_in_either_direction(self, serve: Serve) -> None:
        status, body = await decide(await serve())
        assert status == 200
        up, down = body["answers"]
        assert (up["name"], down["name"]) == ("up", "down")
        assert up["score"] + down["score"] == pytest.approx(1)
        assert sum(one["probability"] for one in up["probabilities"]) == pytest.approx(1)
        assert "simulated" in body["model"]

    async def test_its_calls_and_tokens_are_counted_a_token_for_each_answer(self, serve: Serve) -> None:
        client = await serve()
        _, body = await decide(client)
        counts = await stats(client)
        assert (counts["calls"], counts["completionTokens"]) == (1, 2)
        assert counts["promptTokens"] == body["usage"]["input_tokens"]
        assert (await decide(client))[1]["usage"]["input_tokens_details"]["cached_tokens"] > 0

    async def test_a_server_can_be_without_it_as_older_ones_are(self, serve: Serve) -> None:
        status, _ = await decide(await serve(Traits(latency_milliseconds=0, has_decisions=False)))
        assert status == 404

    async def test_what_is_malformed_elsewhere_is_a_refusal_here(self, serve: Serve) -> None:
        _, body = await decide(await serve(Traits(latency_milliseconds=0, malformed_percent=100)))
        assert [answer["type"] for answer in body["answers"]] == ["refusal"] * 2

    @pytest.mark.parametrize(
        "changes", [{"questions": []}, {"questions": QUESTIONS * 33}, {"questions": [{"type": "predicate"}]}]
    )
    async def test_what_it_does_not_know_is_refused(self, serve: Serve, changes: dict[str, Any]) -> None:
        assert (await decide(await serve(), **changes))[0] == 400

    async def test_another_model_is_not_there_and_declared_failures_happen(self, serve: Serve) -> None:
        client = await serve(Traits(latency_milliseconds=0, failure_percent=100))
        assert (await decide(client, model="other"))[0] == 404
        assert (await decide(client))[0] == 500
