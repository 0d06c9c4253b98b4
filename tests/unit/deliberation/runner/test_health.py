import asyncio
from pathlib import Path

import pytest

from deliberation.bus.memory import MemoryBus
from deliberation.protocol.health import Heartbeat, ProbeRequest
from deliberation.protocol.tasks import ModelAddress
from deliberation.runner.health import BEAT_MS, Probes, beat
from fakes.fake_chat import FakeChat
from fakes.fake_clock import FakeClock, settle

BUSY = ModelAddress(name="busy", base_url="http://busy/v1", model_name="m", tells_load=True)
IDLE = BUSY.model_copy(update={"name": "idle", "base_url": "http://idle/v1"})


class FakeDesk:
    models: dict[str, frozenset[ModelAddress]] = {"c-1": frozenset({IDLE})}  # noqa: RUF012 - never changed
    running = 2
    rejected: dict[str, int] = {"Malformed": 1}  # noqa: RUF012 - never changed


class FakeLiveSeats:
    def count_live(self) -> dict[str, int]:
        return {"c-1": 3}


class FakeServers:
    """Servers of which one keeps calls waiting; `silent` ones never answer."""

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent

    async def keeps_waiting(self, address: ModelAddress) -> bool:
        if self.silent:
            await asyncio.Event().wait()
        return address == BUSY


async def hear(desk: FakeDesk, servers: FakeServers) -> Heartbeat:
    """Return the first heartbeat."""
    bus = MemoryBus()
    heard: asyncio.Queue[Heartbeat] = asyncio.Queue()
    await bus.watch_heartbeats(lambda _, heartbeat: heard.put_nowait(heartbeat))
    beating = asyncio.create_task(beat("team", "runner-1", bus, desk, FakeLiveSeats(), servers, FakeClock()))
    heartbeat = await heard.get()
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    return heartbeat


async def test_it_names_the_councils_whose_models_keep_calls_waiting() -> None:
    desk = FakeDesk()
    assert (await hear(desk, FakeServers())).strained == ()
    desk.models = {"c-3": frozenset({BUSY}), "c-2": frozenset({BUSY, IDLE}), "c-1": frozenset({IDLE})}
    assert (await hear(desk, FakeServers())).strained == ("c-2", "c-3")
    desk.models = {}
    assert (await hear(desk, FakeServers())).strained == ()


async def test_a_server_that_does_not_tell_holds_up_no_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliberation.runner.health.LOOK_SECONDS", 0.01)
    assert (await hear(FakeDesk(), FakeServers(silent=True))).strained == ()


async def test_it_beats_at_once_and_again_and_over_an_outage() -> None:
    bus, clock = MemoryBus(), FakeClock()
    heard: list[tuple[str, Heartbeat]] = []
    await bus.watch_heartbeats(lambda namespace, heartbeat: heard.append((namespace, heartbeat)))
    beating = asyncio.create_task(beat("team", "runner-1", bus, FakeDesk(), FakeLiveSeats(), FakeServers(), clock))
    await settle()
    expected = Heartbeat(runner="runner-1", running=2, seats={"c-1": 3}, rejected={"Malformed": 1})
    assert heard == [("team", expected)]
    bus.lose_connection()
    await clock.advance(BEAT_MS)
    assert len(heard) == 1
    bus.restore_connection()
    await clock.advance(BEAT_MS)
    assert len(heard) == 2
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)


async def test_probes_tell_a_missing_secret_from_a_model_that_answers(tmp_path: Path) -> None:
    bus, chat = MemoryBus(), FakeChat()
    await bus.serve_probes("team", "runner-1", Probes(chat, tmp_path).answer)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "api-key").write_text("secret")
    models = tuple(
        ModelAddress(name=name, base_url="http://127.0.0.1:1/v1", model_name="m", api_key_file=file)
        for name, file in (("open", None), ("locked", "keys/api-key"), ("lost", "keys/other"))
    )
    reply = await bus.probe("team", "runner-1", ProbeRequest(models=models), 5)
    assert reply is not None
    assert [(result.name, result.reason) for result in reply.results] == [
        ("open", None),
        ("locked", None),
        ("lost", "SecretMissing"),
    ]
    assert "secret" not in reply.encode().decode()
    assert chat.keys == [None, "secret"]
