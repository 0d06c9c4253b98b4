"""The local run on a nats-server of its own."""

import asyncio
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from deliberation.local import Options, read_manifests, run
from deliberation.local.bus import open_bus
from deliberation.local.faults import BadInputError
from deliberation.local.options import BusChoice
from deliberation.runner.settings import Settings
from fakes.manifests import council, deliberation, text

pytestmark = pytest.mark.contract


def settings(folder: Path) -> Settings:
    return Settings("default", "local", "", "local", folder / "secrets", 1)


async def test_a_run_keeps_its_ledger_in_jetstream() -> None:
    done = await run(read_manifests(text(council(), deliberation())), Options(bus=BusChoice.NATS))
    assert done.has_succeeded
    assert done.bus.startswith("nats-server at nats://127.0.0.1:")


async def test_both_buses_come_to_the_same_status() -> None:
    def without_times(status: dict[str, object]) -> dict[str, object]:
        parts = {"conditions", "startTime", "completionTime", "usage"}
        return {name: part for name, part in status.items() if name not in parts}

    manifests = read_manifests(text(council(), deliberation()))
    memory, nats = [await run(manifests, Options(bus=choice)) for choice in (BusChoice.MEMORY, BusChoice.NATS)]
    assert without_times(memory.finished[0].status) == without_times(nats.finished[0].status)


async def test_nobody_else_gets_at_the_ledger(tmp_path: Path) -> None:
    async with open_bus(BusChoice.NATS, settings(tmp_path), tmp_path) as local_bus:
        host, _, port = local_bus.url.removeprefix("nats://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await reader.readline()
        writer.write(b'CONNECT {"verbose":true}\r\nPING\r\n')
        assert b"Authorization Violation" in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "jetstream").write_text("in the way")
    with pytest.raises(BadInputError, match=r"nats-server does not start: .*storage directory is not a directory"):
        async with open_bus(BusChoice.NATS, settings(tmp_path), tmp_path):
            pass


HOLD_A_BUS = """
import asyncio, pathlib, sys
from deliberation.local.bus import open_bus
from deliberation.local.options import BusChoice
from deliberation.runner.settings import Settings

async def hold(folder):
    async with open_bus(BusChoice.NATS, Settings("default", "local", "", "local", folder / "secrets", 1), folder):
        print("open", flush=True)
        await asyncio.Event().wait()

asyncio.run(hold(pathlib.Path(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the server outlives a run that is killed")
def test_a_run_that_is_killed_leaves_no_server_behind(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD_A_BUS, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"open\n"
            [ports] = tmp_path.glob("nats-server_*.ports")
            server = os.pidfd_open(int(ports.stem.partition("_")[2]))
        finally:
            holder.kill()
    try:
        assert select.select([server], [], [], 30)[0], "nats-server is still there"
    finally:
        os.close(server)
