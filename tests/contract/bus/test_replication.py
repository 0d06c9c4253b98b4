"""Streams with three replicas on three real servers: one of them may die, and nothing that was written is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import nats
import pytest

from deliberation.bus.jetstream import JetStreamBus, connect
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol import streams
from deliberation.protocol.entries import Start
from deliberation.protocol.subjects import Run
from fakes.nats_server import NatsServer

pytestmark = [pytest.mark.contract, pytest.mark.timeout(180)]

SERVERS = 3
ELECTION_SECONDS = 60
RETRY_SECONDS = 0.2


@pytest.fixture
def cluster(tmp_path: Path, unused_tcp_port_factory: Callable[[], int]) -> Iterator[dict[str, NatsServer]]:
    """Give three servers that know each other, by name."""
    ports = [unused_tcp_port_factory() for _ in range(SERVERS)]
    routes = [f"nats://127.0.0.1:{port}" for port in ports]
    with ExitStack() as running:
        servers = {}
        for number, port in enumerate(ports):
            name = f"server-{number}"
            (tmp_path / name).mkdir()
            listening = {"name": "three", "listen": f"127.0.0.1:{port}", "routes": routes}
            server = NatsServer(tmp_path / name, {"server_name": name, "cluster": listening})
            servers[name] = running.enter_context(server)
        yield servers


@pytest.fixture
async def bus(cluster: dict[str, NatsServer]) -> AsyncIterator[JetStreamBus]:
    """Give a bus whose streams have three replicas, as soon as the servers have elected one of them."""
    urls = ",".join(server.url for server in cluster.values())
    bus = await connect(urls, name="test", patience_seconds=ELECTION_SECONDS)
    try:
        async with asyncio.timeout(ELECTION_SECONDS):
            # Nobody tells when the servers are agreed.
            while not await are_there(bus):  # noqa: ASYNC110
                await asyncio.sleep(RETRY_SECONDS)
        yield bus
    finally:
        await bus.close()


async def are_there(bus: JetStreamBus) -> bool:
    """Return whether the streams could be made, as the operator tries until they can."""
    try:
        await bus.ensure_streams(SERVERS)
    except BusUnavailableError:
        return False
    return True


async def find_leader(cluster: dict[str, NatsServer], stream: str) -> str:
    """Return the name of the server that leads a stream, which must have a replica on every server."""
    async with await nats.connect([server.url for server in cluster.values()]) as client:
        info = await client.jetstream().stream_info(stream)
    assert info.config.num_replicas == SERVERS
    assert info.cluster
    assert info.cluster.leader
    assert {info.cluster.leader, *(peer.name for peer in info.cluster.replicas or ())} == set(cluster)
    return info.cluster.leader


async def test_a_server_may_die(cluster: dict[str, NatsServer], bus: JetStreamBus) -> None:
    run = Run("team", "uid-1")
    leaders = {stream: await find_leader(cluster, stream.name) for stream in streams.ALL}
    assert await bus.publish_entry(run, Start(runner="runner-1", at_ms=1))

    cluster[leaders[streams.LEDGER]].kill()

    assert await bus.publish_entry(run, Start(number=1, runner="runner-1", at_ms=2))
    assert not await bus.publish_entry(run, Start(runner="runner-2", at_ms=3)), "its place is taken"
    assert [record.key for record in await bus.read_ledger(run)] == ["start", "start.1"]
