"""The client asks again when that may help, stops when it cannot, and tells nothing that it should keep."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.models import client as client_module
from deliberation.models.client import ChatClient
from deliberation.protocol.chat import ChatRequest, ModelError
from deliberation.protocol.entries import Usage
from unit.deliberation.models.chat_server import (
    COMPLETION,
    KEY,
    REQUEST,
    FakeChatServer,
    FakeClock,
    fail,
    keyed,
    says,
    says_nothing,
)


async def test_a_reply_carries_text_finish_reason_and_usage(
    client: ChatClient, server: FakeChatServer, clock: FakeClock
) -> None:
    server.answers = [says()]
    reply = await client.complete(server.address(), keyed(KEY), REQUEST, 10_000, clock)
    assert (reply.text, reply.finish_reason) == ("the answer", "stop")
    assert reply.usage == Usage(calls=1, prompt_tokens=10, cached_tokens=6, completion_tokens=4)
    assert server.requests[0].path == "/v1/chat/completions"
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert server.bodies == [
        {
            "model": "qwen",
            "messages": [{"role": "user", "content": "the question"}],
            "max_tokens": 7,
            "temperature": 0.7,
            "top_p": 0.9,
            "seed": 3,
        }
    ]


async def test_a_schema_is_given_where_servers_enforce_it(
    client: ChatClient, server: FakeChatServer, clock: FakeClock
) -> None:
    schema = {"type": "object", "properties": {"answer": {"enum": ["a", "b"]}}}
    request = ChatRequest(**{**vars(REQUEST), "schema": schema, "schema_name": "ballot"})
    server.answers = [says()]
    await client.complete(server.address(), keyed(None), request, 10_000, clock)
    assert server.bodies[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "ballot", "schema": schema, "strict": True},
    }
    assert "Authorization" not in server.requests[0].headers


async def test_an_answer_that_was_cut_off_passes_with_its_finish_reason(
    client: ChatClient, server: FakeChatServer, clock: FakeClock
) -> None:
    server.answers = [says(body={"choices": [{"message": {"content": "the ans"}, "finish_reason": "length"}]})]
    reply = await client.complete(server.address(), keyed(None), REQUEST, 10_000, clock)
    assert (reply.text, reply.finish_reason, reply.usage) == ("the ans", "length", Usage(calls=1))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_server_in_trouble_is_asked_again_with_growing_pauses(
    client: ChatClient, server: FakeChatServer, clock: FakeClock, status: int
) -> None:
    server.answers = [says(status), says(status), says(status), says()]
    reply = await client.complete(server.address(), keyed(None), REQUEST, 10_000, clock)
    assert reply.usage.calls == 1
    assert clock.pauses == [0.25, 0.5, 1.0]


async def test_the_pause_that_a_server_asks_for_is_the_least(
    client: ChatClient, server: FakeChatServer, clock: FakeClock
) -> None:
    server.answers = [says(429, headers={"Retry-After": "3"}), says()]
    await client.complete(server.address(), keyed(None), REQUEST, 10_000, clock)
    assert clock.pauses == [3.25]


async def test_a_pause_beyond_the_deadline_is_not_made(
    client: ChatClient, server: FakeChatServer, clock: FakeClock
) -> None:
    server.answers = [says(429, headers={"Retry-After": "60"})]
    error = await fail(client, server, clock)
    assert error.reason is AbstentionReason.MODEL_UNAVAILABLE
    assert (
        error.message
        == "Model small gave no answer before the deadline, after 1 tries: HTTP 429, and asks to be left alone for 60 s"
    )
    assert clock.pauses == []


async def test_at_the_deadline_no_more_is_asked(client: ChatClient, server: FakeChatServer, clock: FakeClock) -> None:
    server.answers = [says(503)]
    error = await fail(client, server, clock, deadline_ms=2_000)
    assert error.reason is AbstentionReason.MODEL_UNAVAILABLE
    assert len(server.requests) == len(clock.pauses) + 1 == 4
    assert sum(clock.pauses) < 2


async def test_a_question_after_its_deadline_is_not_asked(
    client: ChatClient, server: FakeChatServer, clock: FakeClock
) -> None:
    server.answers = [says()]
    error = await fail(client, server, clock, deadline_ms=0)
    assert error.reason is AbstentionReason.MODEL_UNAVAILABLE
    assert server.requests == []


async def test_a_server_that_hangs_is_left_at_the_deadline(
    client: ChatClient, server: FakeChatServer, clock: FakeClock
) -> None:
    server.answers = [says_nothing]
    error = await fail(client, server, clock, deadline_ms=100)
    assert error.message.endswith("it did not answer in time")


async def test_an_address_where_nobody_listens_is_tried_until_the_deadline(
    client: ChatClient, server: FakeChatServer, clock: FakeClock, unused_tcp_port: int
) -> None:
    server.base_url = f"http://127.0.0.1:{unused_tcp_port}/v1"
    error = await fail(client, server, clock, deadline_ms=1_000)
    assert "nothing listens at its address" in error.message
    assert len(clock.pauses) > 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, AbstentionReason.UNAUTHORIZED),
        (403, AbstentionReason.UNAUTHORIZED),
        (400, AbstentionReason.REFUSED_BY_SERVER),
        (404, AbstentionReason.REFUSED_BY_SERVER),
        (422, AbstentionReason.REFUSED_BY_SERVER),
        (501, AbstentionReason.REFUSED_BY_SERVER),
        (302, AbstentionReason.REFUSED_BY_SERVER),
    ],
)
async def test_a_refusal_is_final_and_told_in_our_words(
    client: ChatClient, server: FakeChatServer, clock: FakeClock, status: int, reason: AbstentionReason
) -> None:
    server.answers = [says(status, body=f"no: the question {KEY}", headers={"Location": "/v1/elsewhere"})]
    error = await fail(client, server, clock)
    assert error.reason is reason
    assert "question" not in error.message
    assert len(server.requests) == 1


async def test_a_prompt_that_is_too_long_is_told_with_what_to_do(
    client: ChatClient, server: FakeChatServer, clock: FakeClock
) -> None:
    server.answers = [says(400, body={"error": {"message": "This model's maximum context length is 512 tokens"}})]
    error = await fail(client, server, clock)
    assert "too long for model small: shorten the context, lower the member's sampling.maxTokens" in error.message


@pytest.mark.parametrize(
    "body",
    ["", "the answer", "[]", "{}", {"choices": []}, {"choices": [1]}, {"choices": [{"message": None}]}, "[" * 100_000],
)
async def test_what_is_no_completion_is_a_malformed_answer(
    client: ChatClient, server: FakeChatServer, clock: FakeClock, body: Any
) -> None:
    server.answers = [says(body=body)]
    error = await fail(client, server, clock)
    assert error.reason is AbstentionReason.MALFORMED_ANSWER
    assert error.usage.calls == 1
    assert len(server.requests) == 1


async def test_a_malformed_answer_still_tells_what_it_cost(
    client: ChatClient, server: FakeChatServer, clock: FakeClock
) -> None:
    server.answers = [says(body={"usage": COMPLETION["usage"]})]
    error = await fail(client, server, clock)
    assert error.usage == Usage(calls=1, prompt_tokens=10, cached_tokens=6, completion_tokens=4)


async def test_an_endless_answer_is_cut(
    client: ChatClient, server: FakeChatServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    monkeypatch.setattr(client_module, "MAX_RESPONSE_BYTES", 1024 * 1024)
    server.answers = [stream]
    error = await fail(client, server, clock)
    assert error.reason is AbstentionReason.MALFORMED_ANSWER
    assert "more than 1048576 bytes" in error.message


async def test_a_cancelled_call_is_taken_back_from_the_server(
    client: ChatClient, server: FakeChatServer, clock: FakeClock
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    server.answers = [hang]
    async with asyncio.timeout(60):
        call = asyncio.create_task(client.complete(server.address(), keyed(None), REQUEST, 60_000, clock))
        await begun.wait()
        call.cancel()
        await ended.wait()
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize(
    ("url", "key"), [("http://", None), ("http://[", None), ("http://user:hidden@127.0.0.1:1/v1", KEY), ("/v1", KEY)]
)
async def test_an_address_that_is_none_is_told_without_what_it_hides(
    client: ChatClient, server: FakeChatServer, clock: FakeClock, url: str, key: str | None
) -> None:
    with pytest.raises(ModelError) as failure:
        await client.complete(server.address(base_url=url), keyed(key), REQUEST, 1_000, clock)
    assert "hidden" not in failure.value.message
    assert KEY not in failure.value.message


async def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(
    client: ChatClient, server: FakeChatServer, clock: FakeClock
) -> None:
    with pytest.raises(ModelError) as failure:
        await client.complete(server.address(), keyed(f"{KEY}\r\nX: y"), REQUEST, 1_000, clock)
    assert failure.value.reason is AbstentionReason.REFUSED_BY_SERVER
    assert KEY not in failure.value.message


async def test_a_moment_to_come_back_at_is_heeded(client: ChatClient, server: FakeChatServer, clock: FakeClock) -> None:
    server.answers = [says(503, headers={"Retry-After": "Sun, 22 Nov 2020 12:00:30 GMT"}), says()]
    await client.complete(server.address(), keyed(None), REQUEST, 10_000, clock)
    server.answers = [says(503, headers={"Retry-After": "Sun, 22 Nov 2999 12:00:30 GMT"})]
    error = await fail(client, server, clock)
    assert "and asks to be left alone for" in error.message
    assert clock.pauses == [0.25]
