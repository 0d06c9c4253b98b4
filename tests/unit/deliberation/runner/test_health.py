import asyncio
from pathlib import Path

from deliberation.bus.memory import MemoryBus
from deliberation.protocol.messages import Heartbeat, ModelAddress, ProbeRequest
from deliberation.runner.health import BEAT_MS, Probes, beat
from fakes.fake_chat import FakeChat
from fakes.fake_clock import FakeClock, settle


class FakeDesk:
    running = 2
    rejected: dict[str, int] = {"Malformed": 1}  # noqa: RUF012 - never changed


class FakeLiveSeats:
    def count_live(self) -> dict[str, int]:
        return {"c-1": 3}


async def test_it_beats_at_once_and_again_and_over_an_outage() -> None:
    bus, clock = MemoryBus(), FakeClock()
    heard: list[tuple[str, Heartbeat]] = []
    await bus.watch_heartbeats(lambda namespace, heartbeat: heard.append((namespace, heartbeat)))
    beating = asyncio.create_task(beat("team", "runner-1", bus, FakeDesk(), FakeLiveSeats(), clock))
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
