"""A real nats-server for tests, on a free port of the loopback, its storage in a temporary folder, always stopped.

Not a fake in what it does: it stands beside the fakes because tests start it as they start those.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from deliberation.protocol.authority import Authority

START_SECONDS = 30.0


class NatsServer:
    """One nats-server with JetStream. It keeps its port and its storage over `kill` and `start`.

    Args:
        folder: an empty folder for its configuration and storage.
        settings: more of its configuration, as the JSON that nats-server also reads.
    """

    def __init__(self, folder: Path, settings: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.settings = settings or {}
        self.port = -1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        configuration = self.folder / "nats.conf"
        configuration.write_text(
            json.dumps(
                {
                    "listen": f"127.0.0.1:{self.port}",
                    "ports_file_dir": str(self.folder),
                    "jetstream": {"store_dir": str(self.folder / "jetstream"), "sync_interval": "always"},
                    "max_payload": 4 * 1024 * 1024,
                    **self.settings,
                }
            )
        )
        log = (self.folder / "nats.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [_program(), "--config", str(configuration)], stdout=log, stderr=subprocess.STDOUT
            )
        ports = self.folder / f"nats-server_{self._process.pid}.ports"
        until = time.monotonic() + START_SECONDS
        while not ports.exists() or not ports.read_bytes():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"nats-server did not start: {(self.folder / 'nats.log').read_text()[-2000:]}")
            time.sleep(0.005)
        self.port = int(json.loads(ports.read_text())["nats"][0].rpartition(":")[2])

    def kill(self) -> None:
        """End it at once, with SIGKILL; safe to repeat."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it in good order; safe to repeat."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _program() -> str:
    """Return the path of nats-server: beside the Python that runs the tests, or on the PATH."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise RuntimeError("nats-server is not installed: run hack/env")
    return found


@pytest.fixture(scope="session")
def shared_nats_server() -> Iterator[NatsServer]:
    """Give a server that all tests share: use ids of your own, and leave it running."""
    with tempfile.TemporaryDirectory(prefix="nats-") as folder, NatsServer(Path(folder)) as server:
        yield server


AUTHORITY = Authority(b"authority-key-of-tests-in-clear-text")


def trusting(authority: Authority, folder: Path) -> dict[str, Any]:
    """Return the settings of a server with an account for each namespace, as the chart configures it."""
    resolver = {"type": "full", "dir": str(folder / "accounts"), "timeout": "250ms"}
    return {**json.loads(authority.server_settings), "resolver": resolver}


@pytest.fixture(scope="session")
def shared_trusting_server() -> Iterator[NatsServer]:
    """Give a server that trusts AUTHORITY and that all tests share: use ids of your own, and leave it running."""
    with (
        tempfile.TemporaryDirectory(prefix="nats-") as folder,
        NatsServer(Path(folder), trusting(AUTHORITY, Path(folder))) as server,
    ):
        yield server


@pytest.fixture
def trusting_server(tmp_path: Path) -> Iterator[NatsServer]:
    """Give a server of one's own that trusts AUTHORITY, to kill and to start again."""
    with NatsServer(tmp_path, trusting(AUTHORITY, tmp_path)) as server:
        yield server


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """Give a server of one's own, to kill and to start again."""
    with NatsServer(tmp_path) as server:
        yield server
