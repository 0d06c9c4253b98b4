"""The OpenAI-compatible HTTP server around a simulated model."""

import asyncio
import hmac
import json
import time
from collections import Counter, OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deliberation.models.simulated.answering import Asked, Traits, answer
from deliberation.models.simulated.deciding import DecisionsRequest, decide
from deliberation.models.simulated.draws import happens
from deliberation.models.simulated.prefix_cache import CHARACTERS_PER_TOKEN, PrefixCache, count_tokens

MAX_REQUEST_BYTES = 8 * 1024 * 1024
REMEMBERED_REQUESTS = 100_000
MARK = "simulated"
MARK_HEADER = {"X-Simulated": "true"}


class _Message(BaseModel):
    role: str
    content: str


class _ChatRequest(BaseModel):
    """What we understand of a chat completion. What else a request holds is part of its identity only."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: list[_Message] = Field(min_length=1)
    max_tokens: int = Field(default=1024, ge=1)
    n: int = Field(default=1, ge=1, le=1)
    stream: bool = False
    response_format: dict[str, Any] | None = None


@dataclass
class SimulatedModel:
    """One simulated model: how it behaves, and what it has been asked.

    Only failures and counts depend on what was asked before: a request that failed may succeed when it is made again.
    """

    name: str
    traits: Traits
    api_key: str | None = None
    counts: Counter[str] = field(default_factory=Counter)
    _tries: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _answered: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _cache: PrefixCache = field(default_factory=PrefixCache)
    _batch: asyncio.Semaphore | None = field(init=False)

    def __post_init__(self) -> None:
        """Make room for a batch, if there is a limit to it."""
        self._batch = None if self.traits.batch is None else asyncio.Semaphore(self.traits.batch)

    @property
    def marked_name(self) -> str:
        """Return the name as replies carry it: nobody can take it for a real model's."""
        return self.name if MARK in self.name.lower() else f"{self.name} ({MARK})"

    async def think(self) -> None:
        """Take the declared time, when there is room in the batch."""
        self.counts["waiting"] += 1
        try:
            async with self._batch or nullcontext():
                self.counts["running"] += 1
                try:
                    await asyncio.sleep(self.traits.latency_milliseconds / 1000)
                finally:
                    self.counts["running"] -= 1
        finally:
            self.counts["waiting"] -= 1

    def fails(self, identity: str) -> bool:
        """Return whether this try of the request fails, and count the try."""
        number = self._tries.pop(identity, 0)
        self._tries[identity] = number + 1
        _forget_old(self._tries)
        has_failed = happens(self.traits.failure_percent, "failure", self.traits.seed, identity, number)
        self.counts["failures"] += has_failed
        return has_failed

    def reply(self, asked: Asked, max_tokens: int) -> dict[str, Any]:
        """Return the body of the chat completion, and count the call."""
        self._count_call(asked.identity)
        whole = answer(self.traits, asked)
        text = whole[: max_tokens * CHARACTERS_PER_TOKEN]
        return {
            "id": f"chatcmpl-simulated-{asked.identity[:16]}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.marked_name,
            "system_fingerprint": MARK,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop" if text == whole else "length",
                }
            ],
            "usage": self._use(asked.prompt, text),
        }

    def decide(self, identity: str, request: DecisionsRequest) -> dict[str, Any]:
        """Return the body that answers typed questions, and count the call: what it reads once, and a token each."""
        self._count_call(identity)
        read = "".join((request.input, *(question.instructions for question in request.questions)))
        prompt_tokens, cached_tokens, completion_tokens = self._count_tokens(read, len(request.questions))
        return {
            "model": self.marked_name,
            "answers": decide(self.traits, request),
            "usage": {
                "input_tokens": prompt_tokens,
                "input_tokens_details": {"cached_tokens": cached_tokens, "cache_write_tokens": 0},
                "output_tokens": completion_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": prompt_tokens + completion_tokens,
            },
        }

    def _count_call(self, identity: str) -> None:
        is_repeat = identity in self._answered
        self._answered[identity] = None
        self._answered.move_to_end(identity)
        _forget_old(self._answered)
        self.counts.update(calls=1, repeats=int(is_repeat), distinct=int(not is_repeat))

    def _count_tokens(self, prompt: str, completion_tokens: int) -> tuple[int, int, int]:
        prompt_tokens, cached_tokens = count_tokens(prompt), self._cache.count_cached_tokens(prompt)
        self.counts.update(promptTokens=prompt_tokens, cachedTokens=cached_tokens, completionTokens=completion_tokens)
        return prompt_tokens, cached_tokens, completion_tokens

    def _use(self, prompt: str, text: str) -> dict[str, Any]:
        prompt_tokens, cached_tokens, completion_tokens = self._count_tokens(prompt, count_tokens(text))
        return {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
            "prompt_tokens_details": {"cached_tokens": cached_tokens},
        }


MODEL = web.AppKey("model", SimulatedModel)


def build_app(model: SimulatedModel) -> web.Application:
    """Return the application that serves the model."""
    app = web.Application(client_max_size=MAX_REQUEST_BYTES, middlewares=[_guard])
    app[MODEL] = model
    app.add_routes(
        [
            web.post("/v1/chat/completions", _complete),
            *((web.post("/v1/decisions", _decide),) if model.traits.has_decisions else ()),
            web.get("/v1/models", _list_models),
            web.get("/health", _tell_health),
            web.get("/stats", _tell_counts),
            web.get("/metrics", _tell_load),
        ]
    )
    return app


@web.middleware
async def _guard(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401 - aiohttp's Handler is private
    """Ask for the API key below /v1, and mark every response as simulated."""
    key = request.app[MODEL].api_key
    given = request.headers.get("Authorization", "")
    if key and request.path.startswith("/v1/") and not hmac.compare_digest(given.encode(), f"Bearer {key}".encode()):
        response: web.StreamResponse = _refuse(401, "the API key is missing or wrong")
    else:
        response = await handler(request)
    response.headers.update(MARK_HEADER)
    return response


async def _complete(request: web.Request) -> web.Response:
    model = request.app[MODEL]
    body = await request.read()
    try:
        chat = _ChatRequest.model_validate_json(body)
    except ValidationError as error:
        return _refuse(400, _explain(error))
    if chat.stream:
        return _refuse(400, "a simulated model does not stream")
    if chat.model != model.name:
        return _refuse(404, f"the model is {model.name}")
    identity = _identify(body)
    asked = Asked(identity, "\n\n".join(message.content for message in chat.messages), _find_schema(chat))
    await model.think()
    if model.fails(identity):
        return _refuse(500, "this failure was declared")
    return web.json_response(model.reply(asked, chat.max_tokens))


async def _decide(request: web.Request) -> web.Response:
    model = request.app[MODEL]
    body = await request.read()
    try:
        asked = DecisionsRequest.model_validate_json(body)
    except ValidationError as error:
        return _refuse(400, _explain(error))
    if asked.model != model.name:
        return _refuse(404, f"the model is {model.name}")
    identity = _identify(body)
    await model.think()
    if model.fails(identity):
        return _refuse(500, "this failure was declared")
    return web.json_response(model.decide(identity, asked))


def _explain(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:3])


def _identify(body: bytes) -> str:
    """Return what stands for all of a request, however its JSON is written."""
    return sha256(json.dumps(json.loads(body), sort_keys=True).encode()).hexdigest()


async def _list_models(request: web.Request) -> web.Response:
    name = request.app[MODEL].name
    return web.json_response({"object": "list", "data": [{"id": name, "object": "model", "owned_by": MARK}]})


async def _tell_health(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _tell_counts(request: web.Request) -> web.Response:
    """Tell what was asked since the start: no texts, so that anybody may know."""
    names = ("calls", "distinct", "repeats", "failures", "waiting", "promptTokens", "cachedTokens", "completionTokens")
    counts = request.app[MODEL].counts
    return web.json_response({name: counts[name] for name in names})


async def _tell_load(request: web.Request) -> web.Response:
    """Tell the load under vLLM's names, so that a client chooses among simulated replicas as among real ones."""
    model = request.app[MODEL]
    label = f'{{model_name="{model.name}"}}'
    unanswered, running = model.counts["waiting"], model.counts["running"]
    gauges = {"vllm:num_requests_running": running, "vllm:num_requests_waiting": unanswered - running}
    lines = (f"# TYPE {name} gauge\n{name}{label} {float(count)}\n" for name, count in gauges.items())
    return web.Response(text="".join(lines))


def _find_schema(chat: _ChatRequest) -> dict[str, Any] | None:
    """Return the JSON schema that the reply must satisfy, or None when it may be any text."""
    match chat.response_format:
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            return schema
        case {"type": "json_object"}:
            return {}
        case _:
            return None


def _refuse(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": f"Simulated model: {message}", "code": status}}, status=status)


def _forget_old(remembered: OrderedDict[str, Any]) -> None:
    while len(remembered) > REMEMBERED_REQUESTS:
        remembered.popitem(last=False)
