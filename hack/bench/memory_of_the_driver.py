"""How much memory the runner's driver takes while it works off a queue: a nats-server, a simulated model, no cluster.

The desk, its drivers and seats run in a process of their own, as in the runner, but without Ray: seats are coroutines.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from bench.recorded import TRAITS, build_task
from deliberation.bus.jetstream import connect
from deliberation.bus.port import Bus
from deliberation.local.bus import open_bus
from deliberation.local.options import BusChoice
from deliberation.local.seats import SeatsInProcess
from deliberation.models.client import ChatClient
from deliberation.models.simulated.server import SimulatedModel, build_app
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import ResolvedStrategy, Task
from deliberation.runner.clock import SystemClock
from deliberation.runner.desk import Desk
from deliberation.runner.persist import run_of
from deliberation.runner.seat import Seat
from deliberation.runner.settings import Settings

NAMESPACE, RUNNER, USER = "bench", "runner-bench", "bench"
PLACES = 8
MODEL = "simulated"


def settings_in(folder: Path) -> Settings:
    """Return the runner's settings, with its password in the folder."""
    return Settings(NAMESPACE, RUNNER, "", USER, folder / "secrets", PLACES)


async def work(url: str, folder: Path) -> None:
    """Be the driver: take tasks until this process is ended."""
    settings, clock = settings_in(folder), SystemClock()
    bus = await connect(url, login=settings.bus_login, name="driver")
    seats = SeatsInProcess(Seat(bus, ChatClient(), settings.secrets_dir, clock))
    await Desk(NAMESPACE, RUNNER, bus, seats, clock, PLACES).run()


def build_tasks(number: int, seats: int, model_url: str) -> Iterator[Task]:
    """Yield the tasks of that many Votes."""
    pattern = build_task(ResolvedStrategy.VOTE, seats, 1)
    models = tuple(model.model_copy(update={"base_url": model_url}) for model in pattern.models)
    started_ms = SystemClock().now_ms()
    for index in range(number):
        changes = {"namespace": NAMESPACE, "deliberation_uid": f"d-{index}", "started_at_ms": started_ms}
        yield pattern.model_copy(update={**changes, "models": models, "timeout_ms": 86_400_000})


def read_resident_mib(process_id: int) -> float:
    """Return the resident memory of a process, in MiB."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024


async def measure(number: int, seats: int, samples: int) -> AsyncIterator[tuple[int, float]]:
    """Yield, a few times on the way, how many Deliberations are answered and the driver's memory in MiB."""
    with tempfile.TemporaryDirectory(prefix="council-bench-") as name:
        folder = Path(name)
        async with serving_model() as model_url, open_bus(BusChoice.NATS, settings_in(folder), folder) as local_bus:
            answered: asyncio.Queue[Run] = asyncio.Queue()

            def note(run: Run, key: str) -> None:
                if key == "verdict":
                    answered.put_nowait(run)

            await local_bus.bus.watch_ledger(note)
            await local_bus.bus.ensure_task_consumer(NAMESPACE, RUNNER)
            await publish(local_bus.bus, build_tasks(number, seats, model_url))
            command = (sys.executable, "-m", "bench.memory_of_the_driver", "--work", local_bus.url, name)
            driver = await asyncio.create_subprocess_exec(*command)
            try:
                for done in range(1, number + 1):
                    await answered.get()
                    if done % max(1, number // samples) == 0:
                        yield done, read_resident_mib(driver.pid)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    driver.kill()
                await driver.wait()


async def publish(bus: Bus, tasks: Iterator[Task]) -> None:
    """File every task for the driver."""
    for task in tasks:
        await bus.publish_task(run_of(task), RUNNER, task)


@asynccontextmanager
async def serving_model() -> AsyncIterator[str]:
    """Serve a simulated model that answers at once; yield its URL."""
    runner = web.AppRunner(build_app(SimulatedModel(MODEL, TRAITS)), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def report(number: int, seats: int) -> None:
    """Measure, and print a line for each tenth of the queue."""
    print(f"{'answered':>9}{'driver MiB':>12}   {seats} seats, {PLACES} Deliberations at a time")
    async for done, mebibytes in measure(number, seats, samples=10):
        print(f"{done:>9}{mebibytes:>12.1f}", flush=True)


def main() -> None:
    """Measure and print, or be the driver that is measured."""
    parser = argparse.ArgumentParser(prog="hack/bench/memory", description=__doc__.partition("\n")[0])
    parser.add_argument("--deliberations", type=int, default=500, help="how many are queued (default: 500)")
    parser.add_argument("--seats", type=int, default=15, help="seats of the Council (default: 15)")
    parser.add_argument("--work", nargs=2, metavar=("URL", "FOLDER"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.work:
        asyncio.run(work(wanted.work[0], Path(wanted.work[1])))
    else:
        asyncio.run(report(wanted.deliberations, wanted.seats))


if __name__ == "__main__":
    main()
