"""The two buses on which one suite runs, and a server to be unkind to."""

import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import nats
import pytest

from deliberation.bus.jetstream import JetStreamBus, connect
from deliberation.bus.login import CredentialsLogin
from deliberation.bus.memory import MemoryBus
from deliberation.bus.namespaced import NamespacedBus, connect_namespaced
from deliberation.bus.port import Bus
from deliberation.protocol.subjects import Run
from fakes.nats_server import (
    AUTHORITY,
    NatsServer,
    nats_server,
    shared_nats_server,
    shared_trusting_server,
    trusting_server,
)

__all__ = ["nats_server", "shared_nats_server", "shared_trusting_server", "trusting_server"]

PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Stage:
    """A bus, and how to put any bytes under any subject of it."""

    bus: Bus
    put: Callable[[str, bytes], Awaitable[object]]


@pytest.fixture(params=["memory", "jetstream", "namespaced"])
async def stage(request: pytest.FixtureRequest, run: Run) -> AsyncIterator[Stage]:
    if request.param == "memory":
        memory = MemoryBus()

        async def put_into_memory(subject: str, data: bytes) -> bool:
            return memory.put(subject, data)

        yield Stage(memory, put_into_memory)
        await memory.close()
        return
    if request.param == "namespaced":
        trusting: NatsServer = request.getfixturevalue("shared_trusting_server")
        namespaced = await connect_namespaced(trusting.url, AUTHORITY, name="test", patience_seconds=PATIENCE_SECONDS)
        await namespaced.read_task(run.namespace, "none")
        login = CredentialsLogin("operator", AUTHORITY.operator(run.namespace))
        inside = await nats.connect(trusting.url, **login.build_options())
        try:
            yield Stage(namespaced, inside.jetstream().publish)
        finally:
            await namespaced.close()
            await inside.close()
        return
    server: NatsServer = request.getfixturevalue("shared_nats_server")
    bus = await connect(server.url, name="test", patience_seconds=PATIENCE_SECONDS)
    client = await nats.connect(server.url)
    try:
        await bus.ensure_streams()
        yield Stage(bus, client.jetstream().publish)
    finally:
        await bus.close()
        await client.close()


@pytest.fixture
def bus(stage: Stage) -> Bus:
    return stage.bus


@pytest.fixture
async def jetstream(nats_server: NatsServer) -> AsyncIterator[JetStreamBus]:
    """Give a bus with streams, on a server of its own that the test may kill."""
    bus = await connect(nats_server.url, name="test", patience_seconds=PATIENCE_SECONDS)
    await bus.ensure_streams()
    yield bus
    await bus.close()


@pytest.fixture
async def operator(trusting_server: NatsServer) -> AsyncIterator[NamespacedBus]:
    """Give the bus of the operator, on a server that the test may kill."""
    bus = await connect_namespaced(trusting_server.url, AUTHORITY, name="operator", patience_seconds=PATIENCE_SECONDS)
    yield bus
    await bus.close()


numbers = itertools.count()


@pytest.fixture
def run() -> Run:
    return Run(f"team-{next(numbers)}", str(uuid.uuid4()))
