import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from deliberation.bus.jetstream import JetStreamBus, connect
from fakes.local_ray import RunnerProcess, ray_address
from fakes.nats_server import NatsServer, nats_server, shared_nats_server

__all__ = ["nats_server", "ray_address", "shared_nats_server"]


@pytest.fixture(scope="session")
def shared_runner(ray_address: str, shared_nats_server: NatsServer) -> Iterator[RunnerProcess]:
    """Give a runner that all tests share; leave it running."""
    with tempfile.TemporaryDirectory(prefix="runner-") as folder:
        runner = RunnerProcess(ray_address, shared_nats_server.url, Path(folder), "team", "shared")
        runner.start()
        try:
            yield runner
        finally:
            runner.end()


@pytest.fixture
def own_runner(ray_address: str, nats_server: NatsServer, tmp_path: Path) -> Iterator[RunnerProcess]:
    """Give a runner of one's own, not yet started, on a nats-server of one's own."""
    folder = tmp_path / "runner"
    folder.mkdir()
    runner = RunnerProcess(ray_address, nats_server.url, folder, "team", f"own-{uuid4().hex[:8]}")
    try:
        yield runner
    finally:
        runner.end()


@pytest.fixture
async def bus(shared_runner: RunnerProcess) -> AsyncIterator[JetStreamBus]:
    """Give the operator's end of the shared bus."""
    bus = await connect(shared_runner.bus_url, name="operator")
    await bus.ensure_streams()
    await bus.ensure_task_consumer(shared_runner.namespace, shared_runner.runner)
    yield bus
    await bus.close()
    shared_runner.end_actors()
