"""The real simulated model server on a free port of the loopback, in the test's own process, with eyes on its calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from deliberation.models.simulated.answering import Traits
from deliberation.models.simulated.server import SimulatedModel, build_app
from deliberation.protocol.tasks import ModelAddress


@dataclass
class SimulatedServer:
    """A running server: what it was asked, and what was broken off. While `may_answer` is not set, callers wait."""

    model: SimulatedModel
    base_url: str = ""
    arrived: int = 0
    answered: int = 0
    aborted: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def address(self, **fields: Any) -> ModelAddress:
        """Return where a seat finds it."""
        return ModelAddress(name="small", base_url=self.base_url, model_name=self.model.name, simulated=True, **fields)

    async def wait_for_calls(self, number: int) -> None:
        """Wait until that many calls have arrived since the start."""
        while self.arrived < number:
            self.changed.clear()
            await self.changed.wait()

    async def wait_for_answers(self, number: int) -> None:
        """Wait until that many calls have been answered since the start."""
        while self.answered < number:
            self.changed.clear()
            await self.changed.wait()

    async def wait_for_aborts(self, number: int) -> None:
        """Wait until that many calls were broken off by the caller."""
        while self.aborted < number:
            self.changed.clear()
            await self.changed.wait()


@asynccontextmanager
async def serving(*, api_key: str | None = None, hold: bool = False, **traits: Any) -> AsyncIterator[SimulatedServer]:
    """Run a server with these traits, without latency if they don't tell; with `hold`, callers wait from the start."""
    traits.setdefault("latency_milliseconds", 0)
    server = SimulatedServer(SimulatedModel("m", Traits(**traits), api_key))
    if not hold:
        server.may_answer.set()
    app = build_app(server.model)

    @web.middleware
    async def watch(request: web.Request, handler: Any) -> web.StreamResponse:
        server.arrived += request.path.endswith("/chat/completions")
        server.changed.set()
        try:
            await server.may_answer.wait()
            response: web.StreamResponse = await handler(request)
        except asyncio.CancelledError:
            server.aborted += 1
            server.changed.set()
            raise
        server.answered += 1
        server.changed.set()
        return response

    app.middlewares.append(watch)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
