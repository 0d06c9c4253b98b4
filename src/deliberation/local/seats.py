"""Who answers in a local run: every seat in this process, or each as an actor of a Ray on this machine."""

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deliberation.bus.port import Bus
from deliberation.engine.asks import Ask
from deliberation.engine.standing import Standing
from deliberation.local.faults import BadInputError
from deliberation.models.client import ChatClient
from deliberation.protocol.tasks import Task
from deliberation.runner.clock import Clock
from deliberation.runner.desk import Hosts
from deliberation.runner.seat import Seat
from deliberation.runner.settings import Settings


class SeatsInProcess:
    """All seats of all Councils on one event loop; what they keep between questions, they keep by question."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat

    def convene(self, task: Task) -> None:
        """Do nothing: the seats are there."""

    async def answer(self, task: Task, standing: Standing, ask: Ask) -> None:
        """Have the ask's place in the ledger filled."""
        await self._seat.answer(task, standing, ask)


@asynccontextmanager
async def open_seats(
    bus: Bus, chat: ChatClient, settings: Settings, clock: Clock, *, on_ray: bool
) -> AsyncIterator[Hosts]:
    """Give those who answer, until the end of the context.

    Raises:
        BadInputError: Ray is wanted and not installed.
    """
    if not on_ray:
        yield SeatsInProcess(Seat(bus, chat, settings.secrets_dir, clock))
        return
    if importlib.util.find_spec("ray") is None:
        raise BadInputError(["Ray is not installed: install the extra `runner` of this package, or leave --ray out"])
    from deliberation.runner.actors import ActorSeats, connect_to_ray, disconnect_from_ray  # noqa: PLC0415 - as above

    connect_to_ray(settings.runner, "local")
    seats = ActorSeats(settings, clock)
    try:
        yield seats
    finally:
        seats.end_all()
        disconnect_from_ray()
