import pytest

from council_operator.observe import probes as probes_module
from council_operator.observe.probes import Probes
from deliberation.bus.memory import MemoryBus
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest, ProbeResult
from deliberation.protocol.tasks import ModelAddress

MODELS = (ModelAddress(name="small", base_url="http://small", model_name="m"),)


class FakeRunner:
    """Answers probes over the bus, and counts them."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.asked = 0

    async def answer(self, request: ProbeRequest) -> ProbeReply:
        self.asked += 1
        return ProbeReply(results=tuple(ProbeResult(name=model.name, reason=self.reason) for model in request.models))


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner()


async def test_a_silent_runner_is_not_asked(runner: FakeRunner) -> None:
    bus = MemoryBus()
    await bus.serve_probes("default", "runner-1", runner.answer)
    probes = Probes(bus, lambda: 0.0)
    assert await probes.ask("default", "runner-1", MODELS, None) is None
    assert await probes.ask("default", "runner-1", MODELS, Heartbeat.SILENT_AFTER_SECONDS + 1) is None
    assert runner.asked == 0


async def test_a_good_answer_is_remembered_longer_than_a_bad_one(runner: FakeRunner) -> None:
    bus = MemoryBus()
    await bus.serve_probes("default", "runner-1", runner.answer)
    now = 0.0
    probes = Probes(bus, lambda: now)
    runner.reason = "EndpointUnreachable"
    results = await probes.ask("default", "runner-1", MODELS, 1.0)
    assert results
    assert results[0].reason == "EndpointUnreachable"
    runner.reason = None
    now = probes_module.BAD_FOR_SECONDS
    results = await probes.ask("default", "runner-1", MODELS, 1.0)
    assert results
    assert results[0].reason is None
    now += probes_module.BAD_FOR_SECONDS
    await probes.ask("default", "runner-1", MODELS, 1.0)
    assert runner.asked == 2
    now += probes_module.GOOD_FOR_SECONDS
    await probes.ask("default", "runner-1", MODELS, 1.0)
    assert runner.asked == 3


async def test_no_answer_and_no_bus_are_no_knowledge(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = MemoryBus()
    monkeypatch.setattr(probes_module, "PATIENCE_SECONDS", 0.01)
    assert await Probes(bus, lambda: 0.0).ask("default", "nobody", MODELS, 1.0) is None

    async def unavailable(*_: object) -> ProbeReply:
        raise BusUnavailableError("gone")

    monkeypatch.setattr(bus, "probe", unavailable)
    assert await Probes(bus, lambda: 0.0).ask("default", "runner-1", MODELS, 1.0) is None
