"""The connection to NATS: one client at a time, and a new one whenever the last is lost, for ever."""

import asyncio
import logging
import random
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from nats.aio.client import Client, Srv
from nats.aio.msg import Msg
from nats.aio.transport import TcpTransport
from nats.errors import Error, NoRespondersError, UnexpectedEOF

from deliberation.bus.ending import end
from deliberation.bus.login import Login, Tls
from deliberation.bus.port import BusUnavailableError
from deliberation.bus.session import Session

PING_SECONDS = 20
RECONNECT_SECONDS = 0.25
RETRY_SECONDS = 0.1
UNHEARD_SECONDS = 5
"""How long the server's machine may leave unacknowledged what we sent before the connection counts as lost.

TCP alone would try again after ever longer pauses, for a quarter of an hour: when a cut network is whole again, a
connection that began to wait during the cut may go on waiting as long as the cut was, and a new one need not.
"""

REFUSED = "Authorization Violation"
HANG_UPS = (ConnectionResetError, BrokenPipeError, UnexpectedEOF)

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class CautiousClient(Client):
    """A client that hears the server out before it goes on, and logs in over TLS alone when it was told to use TLS.

    nats-py encrypts when the server's first line asks for it. That line is not encrypted: who can change it could have
    a password sent in clear.

    A server that refuses a log-in says so and hangs up. Were a ping sent after the log-in at once, that it leaves
    unread, TCP would take its words back. Hence `verbose`: the server acknowledges the log-in, and until then nothing
    else is sent. (It acknowledges every later message of ours, too, with five bytes that nobody waits for.)
    """

    def _connect_command(self) -> bytes:
        if "tls" in self.options and not self._server_info.get("tls_required"):
            raise Error("nats: the server does not offer TLS, which was asked for")
        return super()._connect_command()

    async def _connect_to_server(self, s: Srv) -> None:
        """Connect, and have the system end the connection when what we send is not acknowledged."""
        await super()._connect_to_server(s)
        transport = self._transport
        # nats-py has no other way to its socket
        writer = transport._io_writer if isinstance(transport, TcpTransport) else None  # noqa: SLF001
        if writer is not None and hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            opened = writer.get_extra_info("socket")
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_SECONDS * 1000)


class Connection:
    """Keeps a client connected, and repeats what a lost connection or a lost answer interrupted.

    The client's own reconnecting is not used: it gives up for good on some errors, such as credentials that have
    expired. A new client reads them anew, and starts from a clean state.

    Args:
        url: address of the server, or several with commas between.
        login: who we are.
        tls: how the connection is encrypted; without it, as the address says.
        name: how the server's monitoring shows this client.
        patience_seconds: how long a call tries, before it raises BusUnavailableError.
        on_state: called with "connected" and "disconnected".
    """

    def __init__(
        self,
        url: str,
        *,
        login: Login,
        tls: Tls | None,
        name: str,
        patience_seconds: float,
        on_state: Callable[[str], None] | None,
    ) -> None:
        self.patience_seconds = patience_seconds
        self._urls = [part.strip() for part in url.split(",")]
        self._login = login
        self._tls = tls or (Tls() if "tls://" in url else None)
        self._name = name
        self._on_state = on_state or (lambda _: None)
        self._session: Session | None = None
        self._connected = asyncio.Event()
        self._last_fault = "nothing yet"
        self._keeper = asyncio.create_task(self._keep_connected(), name=f"nats-connection-{name}")

    @property
    def is_connected(self) -> bool:
        """Whether there is a connected client now."""
        return self._session is not None and not self._session.lost.is_set()

    async def wait_for_session(self) -> Session:
        """Return the connected client, waiting for one without end."""
        while self._session is None or self._session.lost.is_set():
            await self._connected.wait()
            await asyncio.sleep(0)
        return self._session

    async def get_session(self, until: float | None = None) -> Session:
        """Return the connected client, waiting for one until a time of the event loop's clock.

        Raises:
            BusUnavailableError: there was none in time; without `until`, for `patience_seconds`.
        """
        limit = asyncio.get_running_loop().time() + self.patience_seconds if until is None else until
        try:
            async with asyncio.timeout_at(limit):
                return await self.wait_for_session()
        except TimeoutError:
            raise BusUnavailableError(f"NATS at {self._place} cannot be reached: {self._last_fault}") from None

    async def attempt(self, what: str, work: Callable[[Session], Coroutine[Any, Any, Result]]) -> Result:
        """Return what `work` returns; try it again when the connection or an answer is lost.

        Args:
            what: what is being done, for the message.
            work: must be safe to repeat.

        Raises:
            BusUnavailableError: it did not work for `patience_seconds`.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + self.patience_seconds
        fault = ""
        while True:
            session = await self.get_session(until)
            try:
                async with asyncio.timeout_at(until):
                    return await work(session)
            except NoRespondersError:
                fault = "nothing listens there; is JetStream on, and do its streams exist?"
            except TimeoutError:  # The last try is often cut short: what was heard before tells more.
                fault = fault or f"no answer in time; last from the server: {self._last_fault}"
            except (Error, OSError) as error:
                fault = f"{error}; last from the server: {self._last_fault}"
            if clock() + RETRY_SECONDS > until:
                raise BusUnavailableError(f"NATS at {self._place} did not {what}: {fault}") from None
            await asyncio.sleep(RETRY_SECONDS)

    async def ask(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> Msg:
        """Return the answer to a request that is safe to repeat.

        Raises:
            BusUnavailableError: none came for `patience_seconds`.
        """
        return await self.attempt(f"answer {subject}", lambda session: session.request(subject, body, headers=headers))

    async def call_api(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return JetStream's answer to a request of its API that is safe to repeat.

        Raises:
            ApiError: JetStream refused it.
            BusUnavailableError: no answer came for `patience_seconds`.
        """
        return await self.attempt(f"answer {name}", lambda session: session.call_api(name, body))

    async def close(self) -> None:
        """End the connection; safe to repeat."""
        await end(self._keeper)

    @property
    def _place(self) -> str:
        """Return where the servers are, without what a URL may hold of credentials."""
        return ",".join(
            urlsplit(url if "://" in url else f"nats://{url}").netloc.rpartition("@")[2] for url in self._urls
        )

    async def _keep_connected(self) -> None:
        while True:
            session = Session(CautiousClient(), asyncio.Event())
            try:
                await self._connect(session)
                await self._stay(session)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next client may do better
                await self._note(error)
            finally:
                session.lost.set()
                await self._close(session.client)
            await asyncio.sleep(RECONNECT_SECONDS * random.uniform(1, 2))  # noqa: S311 - jitter, not a secret

    async def _connect(self, session: Session) -> None:
        """Connect; while nobody listens at the address, go on trying."""

        async def lose() -> None:
            session.lost.set()

        options: dict[str, Any] = {
            "name": self._name,
            "verbose": True,
            "error_cb": self._note,
            "closed_cb": lose,
            "allow_reconnect": False,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": RECONNECT_SECONDS,
            "ping_interval": PING_SECONDS,
        }
        options |= self._login.build_options()
        if self._tls is not None:
            options |= self._tls.build_options()
        await session.client.connect(self._urls, **options)

    async def _stay(self, session: Session) -> None:
        """Offer the session until it is lost."""
        self._session = session
        self._connected.set()
        _log.info("Connected to NATS at %s", self._place)
        self._on_state("connected")
        try:
            await session.lost.wait()
            _log.warning("Lost the connection to NATS at %s: %s", self._place, self._last_fault)
        finally:
            self._session = None
            self._connected.clear()
            self._on_state("disconnected")

    async def _note(self, error: Exception) -> None:
        """Remember what went wrong for the message of whoever waits in vain."""
        fault = str(error) or type(error).__name__
        if isinstance(error, HANG_UPS):
            if REFUSED in self._last_fault:
                return  # what it said tells more
            fault = f"the server hung up, as it does when it refuses credentials or ends: {fault}"
        if fault != self._last_fault:
            _log.warning("NATS at %s: %s", self._place, fault)
        self._last_fault = fault

    @staticmethod
    async def _close(client: Client) -> None:
        with suppress(Error, OSError, TimeoutError):
            await client.close()
