"""A server for the client, and what it is asked in these tests."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from deliberation.models.client import ChatClient
from deliberation.protocol.chat import Access, ChatRequest, ModelError, ReadAccess
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


async def fail(client: ChatClient, server: FakeChatServer, clock: FakeClock, deadline_ms: int = 10_000) -> ModelError:
    with pytest.raises(ModelError) as failure:
        await client.complete(server.address(), keyed(KEY), REQUEST, deadline_ms, clock)
    assert KEY not in str(failure.value)
    return failure.value
