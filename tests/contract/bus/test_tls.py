"""Encrypted connections to a real server with a certificate: whom the bus trusts, and whom it does not."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from clusters import pki
from deliberation.bus.jetstream import connect
from deliberation.bus.login import CA_KEY, CREDENTIALS_KEY, Tls
from deliberation.bus.namespaced import connect_namespaced
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol.entries import Cancel
from deliberation.protocol.subjects import Run
from deliberation.runner.settings import Settings
from fakes.nats_server import AUTHORITY, NatsServer, trusting

from .namespaces import period

pytestmark = pytest.mark.contract

SOON = 10.0
NAME = "nats.council-system.svc"
RUN = Run("team", "uid")


@pytest.fixture
def encrypted(tmp_path: Path) -> Any:
    """Give a server that takes encrypted connections only; `ca.crt` beside it has who signed its certificate."""
    authority = pki.Authority("test")
    pair = authority.issue(NAME, hosts=[NAME])
    (tmp_path / "tls.crt").write_bytes(pair.certificate)
    (tmp_path / "tls.key").write_bytes(pair.key)
    (tmp_path / CA_KEY).write_bytes(authority.pair.certificate)
    tls = {"cert_file": str(tmp_path / "tls.crt"), "key_file": str(tmp_path / "tls.key")}
    with NatsServer(tmp_path, {**trusting(AUTHORITY, tmp_path), "tls": tls}) as server:
        yield server


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def test_operator_and_runner_work_over_tls(
    encrypted: NatsServer, tmp_path: Path, closing: AsyncExitStack
) -> None:
    operator = await connect_namespaced(
        encrypted.url, AUTHORITY, tls=Tls(tmp_path / CA_KEY, NAME), name="operator", patience_seconds=SOON
    )
    closing.push_async_callback(operator.close)
    assert await operator.publish_entry(RUN, Cancel())

    settings = Settings(
        "team", "runner-1", encrypted.url, "runner", tmp_path / "secrets", 1, bus_ca=True, bus_server_name=NAME
    )
    settings.bus_folder.mkdir(parents=True)
    (settings.bus_folder / CREDENTIALS_KEY).write_text(AUTHORITY.runner("team", period()).to_file())
    (settings.bus_folder / CA_KEY).write_bytes((tmp_path / CA_KEY).read_bytes())
    runner = await connect(encrypted.url, login=settings.bus_login, tls=settings.bus_tls, name="runner")
    closing.push_async_callback(runner.close)
    assert [record.key for record in await runner.read_ledger(RUN)] == ["cancel"]


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (lambda folder: Tls(folder / "other.crt", NAME), "certificate verify failed"),
        (lambda folder: Tls(folder / CA_KEY, "elsewhere"), "Hostname mismatch"),
        (lambda _folder: Tls(None, NAME), "certificate verify failed"),
        (lambda _folder: None, "certificate verify failed"),
        (lambda folder: Tls(folder / "absent.crt"), "No such file"),
    ],
)
async def test_a_server_that_does_not_prove_its_name_gets_nothing(
    encrypted: NatsServer, tmp_path: Path, closing: AsyncExitStack, tls: Any, message: str
) -> None:
    (tmp_path / "other.crt").write_bytes(pki.Authority("other").pair.certificate)
    bus = await connect_namespaced(encrypted.url, AUTHORITY, tls=tls(tmp_path), name="operator", patience_seconds=5)
    closing.push_async_callback(bus.close)
    with pytest.raises(BusUnavailableError, match=message):
        await bus.ensure_streams()


async def test_a_server_that_cannot_encrypt_is_not_talked_to(tmp_path: Path, closing: AsyncExitStack) -> None:
    (tmp_path / CA_KEY).write_bytes(pki.Authority("test").pair.certificate)
    with NatsServer(tmp_path) as plain:
        for bus in (
            await connect(plain.url, tls=Tls(tmp_path / CA_KEY, NAME), name="test", patience_seconds=5),
            await connect(plain.url.replace("nats://", "tls://"), name="test", patience_seconds=5),
        ):
            closing.push_async_callback(bus.close)
            with pytest.raises(BusUnavailableError, match="does not offer TLS"):
                await bus.ensure_streams()
