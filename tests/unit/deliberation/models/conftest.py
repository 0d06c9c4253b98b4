"""A client of model servers, with a server and a clock to be unkind with."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deliberation.models.client import ChatClient
from unit.deliberation.models.chat_server import FakeChatServer, FakeClock


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
