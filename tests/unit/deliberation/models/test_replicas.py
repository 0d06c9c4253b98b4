"""Calls go to the replicas that their metrics recommend; against simulated servers on the loopback."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from deliberation.models.client import ChatClient
from deliberation.models.replicas import Replicas, resolve
from deliberation.models.simulated.answering import Traits
from deliberation.models.simulated.server import SimulatedModel, build_app
from deliberation.protocol.chat import Access, ChatRequest
from deliberation.protocol.tasks import ModelAddress

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


class StoppedClock:
    def now_ms(self) -> int:
        return 0


@dataclass
class FakeDns:
    """Tells the addresses that the test wants told, and how often it was asked; `now` is the time in seconds."""

    addresses: tuple[str, ...] = HOSTS
    asked: int = 0
    now: float = 0.0

    async def resolve(self, host: str, port: int) -> list[str]:
        assert (host, port) == ("model-1-each.team.svc", self.port)
        self.asked += 1
        if not self.addresses:
            raise OSError
        return list(self.addresses)

    port: int = 0


@dataclass
class Scene:
    """Three replicas, a client, and the name that stands for all of them."""

    dns: FakeDns
    client: ChatClient
    models: dict[str, SimulatedModel]
    sites: dict[str, web.TCPSite] = field(default_factory=dict)

    @property
    def address(self) -> ModelAddress:
        return ModelAddress(
            name="small",
            base_url=f"http://127.0.0.1:{self.dns.port}/v1",
            model_name="m",
            replicas_url=f"http://model-1-each.team.svc:{self.dns.port}/v1",
        )

    async def ask(self, question: str) -> None:
        request = ChatRequest(({"role": "user", "content": question},), 16, 0.7, 0.9, 1)
        await self.client.complete(self.address, Access, request, 60_000, StoppedClock())

    @property
    def calls(self) -> dict[str, int]:
        return {host: model.counts["calls"] for host, model in self.models.items() if model.counts["calls"]}


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with open_scene() as opened:
        yield opened


@asynccontextmanager
async def open_scene() -> AsyncIterator[Scene]:
    dns = FakeDns()
    client = ChatClient(replicas=Replicas(resolve=dns.resolve, monotonic=lambda: dns.now))
    scene = Scene(dns, client, {host: SimulatedModel("m", Traits(latency_milliseconds=0)) for host in HOSTS})
    runners = []
    try:
        for host, model in scene.models.items():
            runner = web.AppRunner(build_app(model), access_log=None, shutdown_timeout=0.1)
            runners.append(runner)
            await runner.setup()
            scene.sites[host] = web.TCPSite(runner, host, dns.port)
            await scene.sites[host].start()
            dns.port = dns.port or runner.addresses[0][1]
        yield scene
    finally:
        await client.close()
        for runner in runners:
            await runner.cleanup()


async def test_calls_of_one_question_go_to_one_replica_and_questions_to_all(scene: Scene) -> None:
    for _ in range(5):
        await scene.ask("the same question")
    assert list(scene.calls.values()) == [5]
    for number in range(30):
        await scene.ask(f"question {number}")
    assert sorted(scene.calls) == sorted(HOSTS)


async def test_a_replica_that_is_too_busy_is_spared(scene: Scene) -> None:
    await scene.ask("the same question")
    [home] = scene.calls
    scene.models[home].counts.update(waiting=17, running=17)
    scene.dns.now += 2
    await scene.ask("the same question")
    assert scene.models[home].counts["calls"] == 1
    assert sum(scene.calls.values()) == 2


async def test_loads_are_asked_for_once_a_second_whoever_calls(scene: Scene) -> None:
    for _ in range(10):
        await scene.ask("question")
    assert scene.dns.asked == 1
    scene.dns.now += 1.5
    await scene.ask("question")
    assert scene.dns.asked == 2


async def test_a_replica_that_went_is_left_at_the_next_try() -> None:
    async with open_scene() as scene:
        await scene.ask("the same question")
        [home] = scene.calls
        await scene.sites[home].stop()
        await scene.client.close()
        await scene.ask("the same question")
        assert Counter(scene.calls) == {home: 1, next(host for host in scene.calls if host != home): 1}


async def test_without_a_replica_that_tells_its_load_the_service_is_asked(scene: Scene) -> None:
    scene.dns.addresses = ()
    await scene.ask("question")
    assert scene.calls == {"127.0.0.1": 1}
    scene.dns.addresses, scene.dns.now = ("127.0.0.9",), 2
    await scene.ask("question")
    assert scene.calls == {"127.0.0.1": 2}


async def test_a_model_of_one_replica_is_asked_where_it_is(scene: Scene) -> None:
    request = ChatRequest(({"role": "user", "content": "q"},), 16, 0.7, 0.9, 1)
    address = scene.address.model_copy(update={"replicas_url": None})
    await scene.client.complete(address, Access, request, 60_000, StoppedClock())
    assert scene.dns.asked == 0


async def test_calls_are_kept_waiting_when_every_replica_that_tells_keeps_some(scene: Scene) -> None:
    address = scene.address.model_copy(update={"tells_load": True})
    assert not await scene.client.keeps_waiting(address)
    for host, model in scene.models.items():
        model.counts.update(waiting=9, running=8)
        scene.dns.now += 2
        assert await scene.client.keeps_waiting(address) == (host == HOSTS[-1])
    assert not await scene.client.keeps_waiting(scene.address), "nobody asks a server that is not ours"
    scene.dns.addresses, scene.dns.now = (), scene.dns.now + 2
    assert not await scene.client.keeps_waiting(address)


async def test_names_are_resolved_to_addresses_that_a_url_can_hold() -> None:
    assert "127.0.0.1" in await resolve("127.0.0.1", 80)
    assert await resolve("::1", 80) == ["[::1]"]
    with pytest.raises(OSError, match=r".+"):
        await resolve("no-such-host.invalid", 80)
