"""A fake model client: it replies by a script, without a server, and remembers what it was asked."""

import asyncio

from deliberation.protocol.chat import Access, ChatRequest, ModelError, ReadAccess, Reply
from deliberation.protocol.entries import Usage
from deliberation.protocol.health import ProbeResult
from deliberation.protocol.tasks import ModelAddress
from deliberation.runner.clock import Clock


class FakeChat:
    """Implements `runner.seat.Chat` and `runner.health.Prober`. `text` is every reply; `error` is raised instead."""

    def __init__(self, text: str = '{"answer": "yes"}') -> None:
        self.text = text
        self.error: ModelError | None = None
        self.usage = Usage(calls=1, prompt_tokens=10, completion_tokens=2)
        self.requests: list[ChatRequest] = []
        self.keys: list[str | None] = []
        self.pass_on = asyncio.Event()
        self.pass_on.set()
        self.aborted = 0

    async def complete(
        self, address: ModelAddress, read_access: ReadAccess, request: ChatRequest, deadline_ms: int, clock: Clock
    ) -> Reply:
        del address, deadline_ms, clock
        self.keys.append(read_access().api_key)
        self.requests.append(request)
        try:
            await self.pass_on.wait()
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        if self.error:
            raise self.error
        return Reply(self.text, "stop", self.usage)

    async def probe(self, address: ModelAddress, access: Access) -> ProbeResult:
        self.keys.append(access.api_key)
        return ProbeResult(name=address.name)
