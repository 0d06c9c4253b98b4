"""Messages about the connection tell where it goes, why there is none, and nothing that a URL may hide."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import AsyncMock

import pytest
from nats.errors import NoRespondersError

from deliberation.bus.connection import UNHEARD_SECONDS, Connection
from deliberation.bus.jetstream import connect
from deliberation.bus.login import NoLogin
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol.subjects import Run

HEARD_SECONDS = 2.0
"""Patience of a client that is refused: it takes so long. A busy machine has heard the server by then."""


@pytest.mark.parametrize(
    "url", ["nats://user:hidden@127.0.0.1:{port}", "nats://127.0.0.1:{port}, nats://127.0.0.1:{port}"]
)
async def test_a_server_that_is_away_is_named_without_credentials(url: str, unused_tcp_port: int) -> None:
    bus = await connect(url.format(port=unused_tcp_port), name="test", patience_seconds=0.1)
    with pytest.raises(BusUnavailableError) as failure:
        await bus.read_ledger(Run("team", "uid"))
    assert f"127.0.0.1:{unused_tcp_port}" in str(failure.value)
    assert "hidden" not in str(failure.value)
    await bus.close()


class FakeServer:
    """A fake NATS server that answers every log-in with some words, or none, and hangs up: in good order, or not."""

    def __init__(self, words: bytes, *, resets: bool = False) -> None:
        self.words = words
        self.resets = resets
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._refuse, "127.0.0.1", 0)
        async with server:
            yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO " + json.dumps({"auth_required": True, "max_payload": 4096}).encode() + b"\r\n")
        heard = await reader.readline()
        if self.resets:
            linger_for_nothing = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_nothing)
        else:
            writer.write(self.words)
            writer.write_eof()
            heard += await reader.read()
        self.heard.put_nowait(heard)
        writer.close()


async def test_nothing_is_sent_after_a_log_in_before_the_server_takes_it() -> None:
    server = FakeServer(b"-ERR 'Authorization Violation'\r\n")
    async with server.listening() as url:
        bus = await connect(url, name="test", patience_seconds=HEARD_SECONDS)
        with pytest.raises(BusUnavailableError, match="Authorization Violation"):
            await bus.read_ledger(Run("team", "uid"))
        await bus.close()
        (log_in,) = server.heard.get_nowait().splitlines()
        assert log_in.startswith(b"CONNECT ")


@pytest.mark.parametrize("resets", [True, False])
async def test_a_server_that_hangs_up_without_a_word_may_have_refused_the_credentials(*, resets: bool) -> None:
    async with FakeServer(b"", resets=resets).listening() as url:
        bus = await connect(url, name="test", patience_seconds=HEARD_SECONDS)
        with pytest.raises(BusUnavailableError, match="hung up, as it does when it refuses credentials or ends"):
            await bus.read_ledger(Run("team", "uid"))
        await bus.close()


async def test_what_was_heard_is_told_also_when_the_last_try_gets_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection("127.0.0.1", login=NoLogin(), tls=None, name="test", patience_seconds=0.3, on_state=None)
    monkeypatch.setattr(connection, "get_session", AsyncMock())
    tries = iter(range(9))

    async def hang_the_second_time(_session: object) -> None:
        if next(tries):
            await asyncio.Event().wait()
        raise NoRespondersError

    with pytest.raises(BusUnavailableError, match="did not answer: nothing listens there; is JetStream on"):
        await connection.attempt("answer", hang_the_second_time)
    await connection.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no such option")
async def test_a_connection_over_a_cut_network_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts = []
    set_option = socket.socket.setsockopt

    def note(self: socket.socket, *option: Any) -> None:
        set_option(self, *option)
        if option[1] == socket.TCP_USER_TIMEOUT:
            timeouts.append(self.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))

    monkeypatch.setattr(socket.socket, "setsockopt", note)
    server = FakeServer(b"-ERR 'Authorization Violation'\r\n")
    async with server.listening() as url:
        bus = await connect(url, name="test", patience_seconds=HEARD_SECONDS)
        await server.heard.get()
        await bus.close()
    assert timeouts[0] == UNHEARD_SECONDS * 1000
