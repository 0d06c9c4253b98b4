"""`hack/bench/fan-out`: a Vote of many seats against one of a single seat, and against the same calls without Ray.

A real Ray and a real nats-server on this machine, the runner's own desk and seats, and a simulated model that can take
all calls at once. Each run asks one seat, then all, then makes the same calls in one process: all three meet the same
machine at the same time. What a Vote takes is from its task on the bus to its verdict in the ledger.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from aiohttp import web

from bench.recorded import build_task
from deliberation.bus.port import Bus
from deliberation.engine.fold import fold
from deliberation.engine.request import build_request
from deliberation.engine.step import Work, step
from deliberation.local.bus import USER, open_bus
from deliberation.local.options import BusChoice
from deliberation.local.seats import open_seats
from deliberation.models.client import ChatClient
from deliberation.models.simulated.answering import Traits
from deliberation.models.simulated.server import SimulatedModel, build_app
from deliberation.protocol.chat import Access
from deliberation.protocol.entries import LedgerRecord, Start
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, Task
from deliberation.runner.clock import SystemClock
from deliberation.runner.desk import Desk
from deliberation.runner.persist import run_of
from deliberation.runner.settings import Settings

RUNNER = "fan-out"
NAMESPACE = "bench"
TIMEOUT_MS = 300_000

MOST_OVER_ONE = 1.13
MOST_OVER_IDEAL = 1.2


@dataclass
class Times:
    """Milliseconds of each run."""

    one: list[float] = field(default_factory=list)
    many: list[float] = field(default_factory=list)
    ideal: list[float] = field(default_factory=list)

    def tabulate(self, seats: int, latency: int) -> str:
        """Return medians and ratios; `ratio` is the median of the ratios of each run."""
        over_one = statistics.median(many / one for many, one in zip(self.many, self.one, strict=True))
        over_ideal = statistics.median(many / ideal for many, ideal in zip(self.many, self.ideal, strict=True))
        return "\n".join(
            (
                f"calls of {latency} ms, {len(self.one)} runs, medians",
                f"{'Vote of 1 seat':<38}{statistics.median(self.one):>8.0f} ms",
                f"{f'Vote of {seats} seats':<38}{statistics.median(self.many):>8.0f} ms",
                f"{f'{seats} calls with asyncio, without Ray':<38}{statistics.median(self.ideal):>8.0f} ms",
                f"{f'{seats} seats over 1 seat':<38}{over_one:>8.2f}    (bar {MOST_OVER_ONE})",
                f"{f'{seats} seats over asyncio':<38}{over_ideal:>8.2f}    (bar {MOST_OVER_IDEAL})",
            )
        )


@dataclass(frozen=True)
class Stage:
    """What the measurements are made on."""

    bus: Bus
    chat: ChatClient
    address: ModelAddress

    def build(self, seats: int) -> Task:
        """Return a Vote that starts now. The seats of one number of them are the same in every run, and warm."""
        uid = uuid4().hex
        return build_task(ResolvedStrategy.VOTE, seats, 1).model_copy(
            update={
                "deliberation_uid": uid,
                "council_uid": f"council-{seats}",
                "question": f"Which colour has {uid}?",
                "models": (self.address,),
                "started_at_ms": time.time_ns() // 1_000_000,
                "timeout_ms": TIMEOUT_MS,
            }
        )

    async def vote(self, seats: int) -> float:
        """Return the milliseconds of a Vote.

        Raises:
            RuntimeError: a seat did not answer.
        """
        task = self.build(seats)
        begin = time.perf_counter()
        await self.bus.publish_task(run_of(task), RUNNER, task)
        records = []
        async with self.bus.follow_ledger(run_of(task)) as incoming:
            async for record in incoming:
                records.append(record)
                if record.key.startswith("verdict"):
                    break
        taken = time.perf_counter() - begin
        if len(fold(task, records).proposals) != seats:
            raise RuntimeError("a seat did not answer: this was no measurement")
        return taken * 1000

    async def call(self, number: int) -> float:
        """Return the milliseconds of the calls that a Vote of so many seats makes, made at once in this process."""
        task = self.build(number)
        standing = fold(task, [LedgerRecord(1, "start", Start(runner=RUNNER, at_ms=task.started_at_ms))])
        work = step(task, standing, task.started_at_ms)
        asks = work.asks if isinstance(work, Work) else ()
        requests = [build_request(task, standing, ask) for ask in asks]
        clock = SystemClock()
        begin = time.perf_counter()
        await asyncio.gather(
            *(self.chat.complete(self.address, Access, request, task.deadline_ms, clock) for request in requests)
        )
        return (time.perf_counter() - begin) * 1000


@asynccontextmanager
async def set_up(latency: int) -> AsyncIterator[Stage]:
    """Bring up Ray, NATS, the model and a desk, until the end of the context."""
    os.environ["RAY_AUTH_MODE"] = "disabled"  # else Ray would write a token into the home folder
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fan-out-")))
        settings = Settings(NAMESPACE, RUNNER, "", USER, folder / "secrets", 4)
        model = SimulatedModel("simulated", Traits(latency_milliseconds=latency))
        server = web.AppRunner(build_app(model), access_log=None)
        await server.setup()
        stack.push_async_callback(server.cleanup)
        await web.TCPSite(server, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{server.addresses[0][1]}/v1"
        local_bus = await stack.enter_async_context(open_bus(BusChoice.NATS, settings, folder))
        chat = ChatClient()
        stack.push_async_callback(chat.close)
        settings = Settings(NAMESPACE, RUNNER, local_bus.url, USER, folder / "secrets", 4)
        seats = await stack.enter_async_context(open_seats(local_bus.bus, chat, settings, clock, on_ray=True))
        await local_bus.bus.ensure_task_consumer(NAMESPACE, RUNNER)
        desk = asyncio.create_task(Desk(NAMESPACE, RUNNER, local_bus.bus, seats, clock, 4).run())
        address = ModelAddress(name="small", base_url=url, model_name="simulated", simulated=True)
        try:
            yield Stage(local_bus.bus, chat, address)
        finally:
            desk.cancel()
            await asyncio.gather(desk, return_exceptions=True)


async def measure(seats: int, latency: int, runs: int) -> Times:
    """Return the times of all runs; a first one starts the actors and does not count."""
    times = Times()
    async with set_up(latency) as stage:
        for number in range(runs + 1):
            one, many, ideal = await stage.vote(1), await stage.vote(seats), await stage.call(seats)
            print(f"  run {number} of {runs}: {one:.0f}, {many:.0f}, {ideal:.0f} ms", flush=True)
            if number:
                times.one.append(one)
                times.many.append(many)
                times.ideal.append(ideal)
    return times


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="hack/bench/fan-out", description=__doc__.partition("\n")[0])
    parser.add_argument("--seats", type=int, default=15, help="seats of the larger Vote (default: %(default)s)")
    parser.add_argument("--latency", type=int, default=500, help="milliseconds of a call (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=20, help="runs that count (default: %(default)s)")
    wanted = parser.parse_args()
    times = asyncio.run(measure(wanted.seats, wanted.latency, wanted.runs))
    print(times.tabulate(wanted.seats, wanted.latency))


if __name__ == "__main__":
    main()
