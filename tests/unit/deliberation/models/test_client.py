"""The client asks again when that may help, stops when it cannot, and tells nothing that it should keep."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deliberation.api.v1alpha1.reasons import AbstentionReason, Reason
from deliberation.models import client as client_module
from deliberation.models.client import ChatClient
from deliberation.protocol.chat import Access, ChatRequest, Decisions, ModelError, ReadAccess, Reply, ScoreQuestion
from deliberation.protocol.entries import Usage
from deliberation.protocol.tasks import ModelAddress

KEY = "sk-very-secret"
REQUEST = ChatRequest(
    messages=({"role": "user", "content": "the question"},), max_tokens=7, temperature=0.7, top_p=0.9, seed=3
)
COMPLETION = {
    "choices": [{"message": {"content": "the answer"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}},
}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def keyed(key: str | None) -> ReadAccess:
    return lambda: Access(key)


class FakeClock:
    """A clock that only pauses of the client advance; `pauses` remembers them, in seconds."""

    def __init__(self) -> None:
        self.milliseconds = 0
        self.pauses: list[float] = []

    def now_ms(self) -> int:
        return self.milliseconds

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.milliseconds += int(seconds * 1000)


class FakeChatServer:
    """A server that gives scripted answers in their order, the last one without end, and remembers what was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[web.Request] = []
        self.bodies: list[Any] = []
        self.base_url = ""

    def address(self, **changes: Any) -> ModelAddress:
        return ModelAddress(name="small", base_url=self.base_url, model_name="qwen").model_copy(update=changes)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.json() if request.can_read_body else None)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


def says(status: int = 200, body: Any = COMPLETION, headers: dict[str, str] | None = None) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, headers=headers)

    return answer


async def says_nothing(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.fixture
async def server() -> AsyncIterator[FakeChatServer]:
    fake = FakeChatServer()
    app = web.Application()
    app.router.add_route("*", "/v1/{path:.*}", fake.handle)
    async with TestServer(app) as running:
        fake.base_url = str(running.make_url("/v1/"))
        yield fake


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[ChatClient]:
    client = ChatClient(draw=lambda: 1.0, pause=clock.sleep)
    yield client
    await client.close()
    await client.close()


async def fail(client: ChatClient, server: FakeChatServer, clock: FakeClock, deadline_ms: int = 10_000) -> ModelError:
    with pytest.raises(ModelError) as failure:
        await client.complete(server.address(), keyed(KEY), REQUEST, deadline_ms, clock)
    assert KEY not in str(failure.value)
    return failure.value


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


async def test_a_probe_finds_the_model(client: ChatClient, server: FakeChatServer) -> None:
    server.answers = [says(body={"data": [{"id": "other"}, {"id": "qwen"}]})]
    result = await client.probe(server.address(), Access(KEY))
    assert (result.name, result.reason) == ("small", None)
    assert server.requests[0].path == "/v1/models"
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (says(body={"data": [{"id": "other"}, 7, None]}), Reason.MODEL_NOT_SERVED, "does not serve qwen"),
        (says(401), Reason.UNAUTHORIZED, "HTTP 401: check the API key"),
        (says(403), Reason.UNAUTHORIZED, "HTTP 403: check the API key"),
        (says(404), Reason.ENDPOINT_UNREACHABLE, "should end with the API's version, such as /v1"),
        (says(503), Reason.ENDPOINT_UNREACHABLE, "HTTP 503"),
        (says(body="hello"), Reason.ENDPOINT_UNREACHABLE, "not JSON"),
        (says(body={"data": {}}), Reason.ENDPOINT_UNREACHABLE, "no data"),
        (says_nothing, Reason.ENDPOINT_UNREACHABLE, "did not answer in time"),
    ],
)
async def test_a_probe_tells_what_is_wrong(
    client: ChatClient,
    server: FakeChatServer,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    reason: Reason,
    words: str,
) -> None:
    if answer is says_nothing:
        monkeypatch.setattr(client_module, "PROBE_SECONDS", 0.2)
    server.answers = [answer]
    result = await client.probe(server.address(), Access(KEY))
    assert result.reason == reason
    assert words in result.message
    assert KEY not in result.message


async def test_a_server_that_is_asked_too_often_is_there(client: ChatClient, server: FakeChatServer) -> None:
    server.answers = [says(429, headers={"Retry-After": "60"})]
    assert (await client.probe(server.address(), Access(KEY))).reason is None


async def test_a_moment_to_come_back_at_is_heeded(client: ChatClient, server: FakeChatServer, clock: FakeClock) -> None:
    server.answers = [says(503, headers={"Retry-After": "Sun, 22 Nov 2020 12:00:30 GMT"}), says()]
    await client.complete(server.address(), keyed(None), REQUEST, 10_000, clock)
    server.answers = [says(503, headers={"Retry-After": "Sun, 22 Nov 2999 12:00:30 GMT"})]
    error = await fail(client, server, clock)
    assert "and asks to be left alone for" in error.message
    assert clock.pauses == [0.25]


async def test_a_probe_of_nobody_tells_so(client: ChatClient, server: FakeChatServer, unused_tcp_port: int) -> None:
    result = await client.probe(server.address(base_url=f"http://127.0.0.1:{unused_tcp_port}"), Access())
    assert result.reason == Reason.ENDPOINT_UNREACHABLE
    assert "nothing listens" in result.message


DECIDING = replace(
    REQUEST, decisions=Decisions("the answers", (ScoreQuestion("A", "clarity", "How?", ("bad", "good")),))
)
DECIDED = {
    "answers": [
        {"type": "score", "name": "A.clarity.up", "score": 0.9},
        {"type": "score", "name": "A.clarity.down", "score": 0.2},
    ],
    "usage": {"input_tokens": 30, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 16}},
}


class TestDecisions:
    async def test_the_answers_are_a_ballot(self, client: ChatClient, server: FakeChatServer, clock: FakeClock) -> None:
        server.answers = [says(503), says(body=DECIDED)]
        reply = await client.complete(server.address(), keyed(KEY), DECIDING, 10_000, clock)
        assert reply == Reply('{"A": {"clarity": 2}}', "stop", usage_of_decisions(), decided=True)
        assert [request.path for request in server.requests] == ["/v1/decisions"] * 2
        assert server.bodies[1]["input"] == "the answers"

    async def test_what_many_questions_cost_is_added_up(
        self, client: ChatClient, server: FakeChatServer, clock: FakeClock
    ) -> None:
        server.answers = [says(body=DECIDED)]
        asked = tuple(ScoreQuestion("A", f"c-{number}", "How?", ("bad", "good")) for number in range(33))
        request = replace(REQUEST, decisions=Decisions("the answers", asked))
        reply = await client.complete(server.address(), keyed(KEY), request, 10_000, clock)
        assert (reply.usage.calls, reply.usage.prompt_tokens) == (2, 60)

    @pytest.mark.parametrize("status", [404, 405, 501])
    async def test_a_server_without_the_endpoint_is_asked_in_words_from_then_on(
        self, client: ChatClient, server: FakeChatServer, clock: FakeClock, status: int
    ) -> None:
        server.answers = [says(status, {}), says()]
        for _ in range(2):
            reply = await client.complete(server.address(), keyed(KEY), DECIDING, 10_000, clock)
            assert (reply.text, reply.decided) == ("the answer", False)
        chat = "/v1/chat/completions"
        assert [request.path for request in server.requests] == ["/v1/decisions", chat, chat]

    async def test_another_model_of_that_server_may_have_it(
        self, client: ChatClient, server: FakeChatServer, clock: FakeClock
    ) -> None:
        server.answers = [says(501, {}), says(), says(body=DECIDED)]
        await client.complete(server.address(), keyed(KEY), DECIDING, 10_000, clock)
        other = server.address(model_name="llama")
        assert (await client.complete(other, keyed(KEY), DECIDING, 10_000, clock)).decided

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (401, AbstentionReason.UNAUTHORIZED),
            (400, AbstentionReason.REFUSED_BY_SERVER),
            (200, AbstentionReason.MALFORMED_ANSWER),
        ],
    )
    async def test_other_faults_are_told_as_those_of_a_chat(
        self, client: ChatClient, server: FakeChatServer, clock: FakeClock, status: int, reason: AbstentionReason
    ) -> None:
        server.answers = [says(status, {})]
        with pytest.raises(ModelError) as failure:
            await client.complete(server.address(), keyed(KEY), DECIDING, 10_000, clock)
        assert failure.value.reason is reason


def usage_of_decisions() -> Usage:
    return Usage(calls=1, prompt_tokens=30, cached_tokens=16, completion_tokens=2)
