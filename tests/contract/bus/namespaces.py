"""Two namespaces on a NATS of our own, and how their runners come in."""

import time
from pathlib import Path

from deliberation.bus.jetstream import JetStreamBus, connect
from deliberation.bus.login import CREDENTIALS_KEY, SecretLogin
from deliberation.protocol import authority, permissions
from deliberation.protocol.subjects import Run
from deliberation.protocol.tokens import Credentials
from fakes.nats_server import NatsServer

SOON = 10.0
MINE, THEIRS = Run("red", "uid-red"), Run("blue", "uid-blue")


def period() -> int:
    return authority.period_of(time.time_ns() // 1_000_000)


def secret_folder(folder: Path, credentials: Credentials) -> Path:
    """Return a folder as the kubelet mounts it."""
    folder.mkdir(exist_ok=True)
    (folder / CREDENTIALS_KEY).write_text(credentials.to_file())
    return folder


async def connect_runner(server: NatsServer, folder: Path, patience_seconds: float = SOON) -> JetStreamBus:
    login = SecretLogin(permissions.RUNNER_USER, folder)
    return await connect(server.url, login=login, name="runner", patience_seconds=patience_seconds)
