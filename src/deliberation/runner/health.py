"""What the runner says of itself: a heartbeat, and whether it can reach the models that a Council declares."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from deliberation.bus.port import Bus, BusUnavailableError
from deliberation.protocol.chat import Access, ModelError
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest, ProbeResult
from deliberation.protocol.tasks import ModelAddress
from deliberation.runner.clock import Clock, sleep
from deliberation.runner.faults import describe
from deliberation.runner.secret_files import read_access

BEAT_MS = 5_000
LOOK_SECONDS = 3.0

log = logging.getLogger(__name__)


class Prober(Protocol):
    """What a probe asks of a model client."""

    async def probe(self, address: ModelAddress, access: Access) -> ProbeResult:
        """Return whether the model answers and is served."""


class Servers(Protocol):
    """Where the heartbeat reads how busy models are."""

    async def keeps_waiting(self, address: ModelAddress) -> bool:
        """Return whether a server of ours has more calls than it can work on; False when it does not say."""


class Desks(Protocol):
    """Where the heartbeat reads what is in work."""

    @property
    def models(self) -> Mapping[str, frozenset[ModelAddress]]:
        """The models of the Deliberations in work, by the uid of their Council."""

    @property
    def running(self) -> int:
        """Deliberations in work."""

    @property
    def rejected(self) -> Mapping[str, int]:
        """Messages refused since start, by reason."""


class LiveSeats(Protocol):
    """Where the heartbeat reads which seats live."""

    def count_live(self) -> Mapping[str, int]:
        """Return the number of live seats by Council uid."""


async def beat(
    namespace: str, runner: str, bus: Bus, desk: Desks, seats: LiveSeats, servers: Servers, clock: Clock
) -> None:
    """Beat at once and then every BEAT_MS, until cancelled. While the bus is away, nobody hears it."""
    while True:
        heartbeat = Heartbeat(
            runner=runner,
            running=desk.running,
            seats=dict(seats.count_live()),
            rejected=dict(desk.rejected),
            strained=await _find_strained(desk.models, servers),
        )
        try:
            await bus.beat(namespace, heartbeat)
        except BusUnavailableError as error:
            log.warning("no heartbeat: %s", describe(error))
        await sleep(clock, BEAT_MS)


async def _find_strained(models: Mapping[str, frozenset[ModelAddress]], servers: Servers) -> tuple[str, ...]:
    """Return the Councils with a model that keeps calls waiting. Who cannot tell in time holds up no heartbeat."""
    asked = tuple(frozenset().union(*models.values()))
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            told = await asyncio.gather(*(servers.keeps_waiting(address) for address in asked))
    except TimeoutError:
        return ()
    full = {address for address, keeps_waiting in zip(asked, told, strict=True) if keeps_waiting}
    return tuple(sorted(council for council, addresses in models.items() if addresses & full))


class Probes:
    """Answers to the operator's probes, from where the seats stand."""

    def __init__(self, prober: Prober, secrets_dir: Path) -> None:
        self._prober = prober
        self._secrets_dir = secrets_dir

    async def answer(self, request: ProbeRequest) -> ProbeReply:
        """Probe every model of the request, all at once."""
        results = await asyncio.gather(*(self._probe(address) for address in request.models))
        return ProbeReply(results=tuple(results))

    async def _probe(self, address: ModelAddress) -> ProbeResult:
        try:
            access = read_access(self._secrets_dir, address)
        except ModelError as error:
            return ProbeResult(name=address.name, reason=error.reason.value, message=error.message)
        return await self._prober.probe(address, access)
