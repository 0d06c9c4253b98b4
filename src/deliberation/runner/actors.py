"""Seats as Ray actors: the only importer of Ray.

An actor is named by its Council and seat, detached, and restarted by Ray without end. A question to it is sent once:
Ray repeats nothing, because only the driver can see in the ledger whether the answer is there already.
"""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayActorError, RayError, RayTaskError, TaskCancelledError

from deliberation.bus.jetstream import connect
from deliberation.engine.asks import Ask
from deliberation.engine.standing import Standing
from deliberation.models.client import ChatClient
from deliberation.protocol.tasks import Task
from deliberation.runner.clock import Clock, SystemClock, sleep
from deliberation.runner.faults import SeatFailedError, describe
from deliberation.runner.logs import set_up_logs
from deliberation.runner.placement import choose_place
from deliberation.runner.seat import Seat
from deliberation.runner.settings import Settings

CALLS_AT_A_TIME = 64
"""Questions that one seat answers at a time; more wait until one is answered."""

IDLE_MS = 3_600_000
"""How long the actors of a Council that nobody asks are kept."""

TEND_MS = 30_000
"""How often actors are looked after."""

READY_SECONDS = 10.0
"""How long an actor may take to say that it lives before it counts as not live."""

log = logging.getLogger(__name__)


def connect_to_ray(runner: str, address: str = "auto") -> None:
    """Join the Ray cluster that this process runs in; actors of different runners don't see each other."""
    os.environ["RAY_IGNORE_UNHANDLED_ERRORS"] = "1"  # Ray would print errors with the texts that they hold
    ray.init(address=address, namespace=f"council-{runner}", logging_level=logging.WARNING)


def disconnect_from_ray() -> None:
    """Leave the Ray cluster; one that `connect_to_ray` started ends with it."""
    ray.shutdown()


class SeatActor:
    """One seat in a process of its own. All of its work happens on one event loop, so nothing in it may block."""

    def __init__(self, settings: Settings, name: str) -> None:
        set_up_logs()
        self._settings = settings
        self._name = name
        self._seat: asyncio.Task[Seat] | None = None

    @ray.method(concurrency_group="llm")
    async def answer(self, task: Task, standing: Standing, ask: Ask) -> None:
        """Fill the ask's place in the ledger."""
        try:
            seat = await self._open()
            await seat.answer(task, standing, ask)
        except Exception as error:  # noqa: BLE001 - told to the driver without the texts that the error may hold
            raise SeatFailedError(describe(error)) from None

    @ray.method(concurrency_group="llm")
    async def warm_up(self) -> None:
        """Connect to the bus ahead of the first question."""
        await self._open()

    @ray.method(concurrency_group="control", max_task_retries=-1)
    async def ready(self) -> int:
        """Return the process id: the actor lives. While it is being restarted, this waits."""
        return os.getpid()

    async def _open(self) -> Seat:
        if self._seat is None:
            self._seat = asyncio.create_task(self._connect())
        return await asyncio.shield(self._seat)

    async def _connect(self) -> Seat:
        settings = self._settings
        bus = await connect(settings.bus_url, login=settings.bus_login, tls=settings.bus_tls, name=self._name)
        return Seat(bus, ChatClient(), settings.secrets_dir, SystemClock())


_OPTIONS: dict[str, Any] = {
    "num_cpus": 0,  # it waits for others nearly all the time
    "max_restarts": -1,
    "max_task_retries": 0,
    "concurrency_groups": {"llm": CALLS_AT_A_TIME, "control": 2},
}

RemoteSeat = ray.remote(**_OPTIONS)(SeatActor)


@dataclass
class _Hosted:
    """One actor as the driver sees it. `handle` is what Ray gives out: it has no usable static type."""

    council_uid: str
    handle: Any
    last_used_ms: int
    is_live: bool = True
    calls: int = 0


class ActorSeats:
    """The seats of all Councils, as actors that stay warm between Deliberations."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._hosted: dict[str, asyncio.Task[_Hosted]] = {}

    def convene(self, task: Task) -> None:
        """Start the task's seats, and end idle ones that its Council has no more; returns at once."""
        seats = {_name(task.council_uid, seat.id) for seat in task.seats}
        for name in seats - self._hosted.keys():
            self._host(task.council_uid, name)
        for name, actor in self._settled():
            if actor.council_uid == task.council_uid and name not in seats:
                self._end(name, actor)

    async def answer(self, task: Task, standing: Standing, ask: Ask) -> None:
        """Have the ask's place filled by its seat's actor. Cancelling it aborts the call of the model.

        Raises:
            SeatFailedError: the actor failed or died, perhaps after filling it.
        """
        name = _name(task.council_uid, ask.seat)
        actor = await asyncio.shield(self._hosted.get(name) or self._host(task.council_uid, name))
        actor.calls += 1
        try:
            await self._call(actor, task, standing, ask)
        except ActorDiedError:
            self._hosted.pop(name, None)
            raise SeatFailedError("its actor is gone") from None
        except RayActorError:
            actor.is_live = False
            raise SeatFailedError("its actor died and is being restarted") from None
        except TaskCancelledError:
            raise SeatFailedError("its call was cancelled") from None
        except RayTaskError as error:
            raise SeatFailedError(str(error.cause)) from None
        finally:
            actor.calls -= 1
            actor.last_used_ms = self._clock.now_ms()

    async def _call(self, actor: _Hosted, task: Task, standing: Standing, ask: Ask) -> None:
        if not actor.is_live:
            await actor.handle.ready.remote()
            actor.is_live = True
        answer = actor.handle.answer.remote(task, standing.show(), ask)
        try:
            await answer
        except asyncio.CancelledError:
            ray.cancel(answer)
            raise

    def count_live(self) -> Mapping[str, int]:
        """Return the number of live seats by Council uid."""
        return Counter(actor.council_uid for _, actor in self._settled() if actor.is_live)

    async def tend(self) -> None:
        """Take over the actors of a driver before this one; then end idle ones and see who lives, until cancelled."""
        for name in await asyncio.to_thread(ray.util.list_named_actors):
            self._host(name.partition(".")[0], name)
        while True:
            await sleep(self._clock, TEND_MS)
            for name, actor in self._settled():
                if self._clock.now_ms() - actor.last_used_ms >= IDLE_MS:
                    self._end(name, actor)
            await asyncio.gather(*(self._check(actor) for _, actor in self._settled()))

    def end_all(self) -> None:
        """End every actor: for a runner that ends itself."""
        for name, actor in self._settled():
            self._end(name, actor)

    def _settled(self) -> list[tuple[str, _Hosted]]:
        """Return the actors that have been started."""
        return [
            (name, hosted.result())
            for name, hosted in self._hosted.items()
            if hosted.done() and not hosted.cancelled() and hosted.exception() is None
        ]

    def _host(self, council_uid: str, name: str) -> asyncio.Task[_Hosted]:
        hosted = asyncio.create_task(self._start(council_uid, name))
        self._hosted[name] = hosted
        hosted.add_done_callback(lambda _: self._forget_if_failed(name, hosted))
        return hosted

    def _forget_if_failed(self, name: str, hosted: asyncio.Task[_Hosted]) -> None:
        """Let the next question start the actor anew."""
        if hosted.cancelled() or hosted.exception() is not None:
            self._hosted.pop(name, None)

    async def _start(self, council_uid: str, name: str) -> _Hosted:
        """Start the actor, or find the one of that name, and wait until it lives."""
        place = choose_place(self._settings.seats_with_room, len(self._hosted) - 1)
        options = RemoteSeat.options(name=name, lifetime="detached", get_if_exists=True, **place)
        try:
            handle = await asyncio.to_thread(options.remote, self._settings, name)
            handle.warm_up.remote()
            await handle.ready.remote()
        except Exception as error:  # noqa: BLE001 - Ray raises much; none of it may reach another seat
            raise SeatFailedError(f"its actor could not be started: {describe(error)}") from None
        return _Hosted(council_uid, handle, self._clock.now_ms())

    async def _check(self, actor: _Hosted) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await actor.handle.ready.remote()
        except (TimeoutError, RayError):
            actor.is_live = False
        else:
            actor.is_live = True

    def _end(self, name: str, actor: _Hosted) -> None:
        """End the actor, unless it is at work."""
        if not actor.calls:
            del self._hosted[name]
            ray.kill(actor.handle, no_restart=True)


def _name(council_uid: str, seat_id: str) -> str:
    return f"{council_uid}.{seat_id}"
