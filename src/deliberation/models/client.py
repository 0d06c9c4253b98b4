"""Calls of OpenAI-compatible chat servers, within a deadline and without surprises.

Written on aiohttp, which the operator brings anyway: what is needed is one POST and one GET, with our own rules for
deadlines, retries and what may be told. A vendor's client would bring a second HTTP stack and rules of its own.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, TypeVar

import aiohttp

from deliberation.api.v1alpha1.reasons import AbstentionReason, Reason
from deliberation.engine.usage import add_up
from deliberation.models.decisions import build_bodies, read_scores, write_ballot
from deliberation.models.explaining import NOT_FOUND, explain_certificate, explain_connection, explain_refusal
from deliberation.models.replicas import Replicas
from deliberation.models.replies import MalformedReplyError, read_completion, read_model_names, read_usage
from deliberation.models.retrying import choose_pause_seconds, read_retry_after
from deliberation.models.routing import find_beginning
from deliberation.models.trust import NoCertificatesError, Trust
from deliberation.protocol.chat import Access, ChatRequest, Decisions, ModelError, ReadAccess, Reply
from deliberation.protocol.entries import Usage
from deliberation.protocol.health import ProbeResult
from deliberation.protocol.tasks import ModelAddress

Body = dict[str, Any]
Content = TypeVar("Content")

DECISIONS = "decisions"

MAX_RESPONSE_BYTES = 8 * 1024 * 1024
CONNECT_SECONDS = 10
PROBE_SECONDS = 5
CONNECTIONS = 256

OK = 200
TOO_MANY = 429
WITHOUT_ENDPOINT = frozenset({NOT_FOUND, 405, 501})
"""What servers say that have no decisions endpoint, or not for this model: its labels are no single tokens."""

UNAUTHORIZED = frozenset({401, 403})
WORTH_RETRYING = frozenset({429, 500, 502, 503, 504})


class Clock(Protocol):
    """Tells the time."""

    def now_ms(self) -> int:
        """Return the milliseconds since the epoch."""


class _TransientError(Exception):
    """A try failed, and the next one may not. `retry_after` is the pause in seconds that the server asks for."""

    def __init__(
        self, message: str, retry_after: float | None = None, reason: Reason = Reason.ENDPOINT_UNREACHABLE
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.reason = reason


class _NoEndpointError(Exception):
    """The server does not know what it was asked for."""


class ChatClient:
    """Calls chat models. One instance keeps connections open to all servers that it calls; close it in the end.

    It remembers which of them do not decide.

    Args:
        draw: gives numbers from 0 to 1, for the jitter of pauses.
        pause: waits for a number of seconds.
        replicas: chooses among the replicas of a model.
    """

    def __init__(
        self,
        *,
        draw: Callable[[], float] = random.random,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        replicas: Replicas | None = None,
    ) -> None:
        self._draw = draw
        self._pause = pause
        self._opened: aiohttp.ClientSession | None = None
        self._trust = Trust()
        self._undecided: set[tuple[str, str]] = set()
        self._replicas = replicas or Replicas()

    async def complete(
        self, address: ModelAddress, read_access: ReadAccess, request: ChatRequest, deadline_ms: int, clock: Clock
    ) -> Reply:
        """Return the model's reply. Its `usage` counts every try that the server answered.

        Servers that are overloaded or away are asked again until the deadline, with growing pauses, or with those that
        they ask for. Key and certificate authorities are read anew for each try: what was put right in the meantime
        counts. The text is what the model wrote, unchecked. Decisions are asked for first, where there are any.

        Raises:
            ModelError: there is no reply; the reason tells why.
        """
        ask = partial(self._ask, address, read_access, deadline_ms, clock)
        place = (address.base_url, address.model_name)
        if request.decisions and place not in self._undecided:
            try:
                return await _decide(address, request.decisions, ask)
            except _NoEndpointError:
                self._undecided.add(place)
        return _read(address, read_completion, await ask("chat/completions", build_body(address, request)))

    async def _ask(
        self, address: ModelAddress, read_access: ReadAccess, deadline_ms: int, clock: Clock, path: str, body: Body
    ) -> bytes:
        """Return what the server answers with status 200, however often it must be asked.

        Raises:
            ModelError: there is no answer; the reason tells why.
            _NoEndpointError: the server has no decisions endpoint.
        """
        tries = 0
        fault = "it was not asked"
        while (remaining_ms := deadline_ms - clock.now_ms()) > 0:
            try:
                chosen = await self._choose_replica(address, body)
                return await self._try(chosen, read_access(), path, body, remaining_ms / 1000)
            except _TransientError as error:
                self._replicas.forget(address.replicas_url or "")
                tries += 1
                fault = str(error)
                seconds = choose_pause_seconds(tries, error.retry_after, self._draw())
            if seconds * 1000 >= deadline_ms - clock.now_ms():
                break
            await self._pause(seconds)
        raise ModelError(
            AbstentionReason.MODEL_UNAVAILABLE,
            f"Model {address.name} gave no answer before the deadline, after {max(tries, 1)} tries: {fault}",
        )

    async def probe(self, address: ModelAddress, access: Access) -> ProbeResult:
        """Return whether the server answers within a few seconds, lets us in and serves the model."""
        try:
            status, _, body = await self._exchange("GET", address, "models", access, PROBE_SECONDS)
        except _TransientError as error:
            return _probed(address, error.reason, str(error))
        except ModelError as error:
            is_ours = error.reason is AbstentionReason.CA_BUNDLE_MISSING
            return _probed(address, Reason(error.reason) if is_ours else Reason.ENDPOINT_UNREACHABLE, str(error))
        return _judge_probe(address, status, body)

    async def keeps_waiting(self, address: ModelAddress) -> bool:
        """Return whether a server of ours has more calls than it can work on; False when it does not say."""
        place = address.replicas_url or address.base_url
        return address.tells_load and await self._replicas.keep_waiting(place, self._session)

    async def close(self) -> None:
        """Close all connections; safe to repeat."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    async def _choose_replica(self, address: ModelAddress, body: Body) -> ModelAddress:
        """Return the address of the replica to ask; the Service's own, which takes any, where none is to be chosen."""
        if address.replicas_url is None:
            return address
        chosen = await self._replicas.choose(address.replicas_url, find_beginning(body), self._session)
        return address.model_copy(update={"base_url": chosen}) if chosen else address

    async def _try(self, address: ModelAddress, access: Access, path: str, body: Body, seconds: float) -> bytes:
        status, retry_after, content = await self._exchange("POST", address, path, access, seconds, body)
        if status in WORTH_RETRYING:
            raise _build_overload(status, read_retry_after(retry_after))
        if status in UNAUTHORIZED:
            raise ModelError(
                AbstentionReason.UNAUTHORIZED,
                f"The server of model {address.name} answers HTTP {status}: check the API key",
            )
        if path == DECISIONS and status in WITHOUT_ENDPOINT:
            raise _NoEndpointError
        if status != OK:
            raise ModelError(AbstentionReason.REFUSED_BY_SERVER, explain_refusal(address, status, content))
        return content

    async def _exchange(
        self,
        method: str,
        address: ModelAddress,
        path: str,
        access: Access,
        seconds: float,
        body: dict[str, Any] | None = None,
    ) -> tuple[int, str | None, bytes]:
        """Return status, Retry-After and body of one exchange.

        Raises:
            _TransientError: no connection, or no answer in time.
            ModelError: the answer is too large, the address is no address, or the bundle of authorities holds none.
        """
        headers = {"Authorization": f"Bearer {access.api_key}"} if access.api_key else {}
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        url = f"{address.base_url.rstrip('/')}/{path}"
        try:
            # A redirect would take the key and the question to where nobody declared them to go.
            async with self._session.request(
                method,
                url,
                json=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
                ssl=self._trust.get_context(access.ca_bundle),
            ) as response:
                content = await _read_bounded(response)
                return response.status, response.headers.get("Retry-After"), content
        except TimeoutError:
            raise _TransientError("it did not answer in time") from None
        except aiohttp.InvalidURL:
            raise ModelError(AbstentionReason.REFUSED_BY_SERVER, f"The URL of model {address.name} is none") from None
        except aiohttp.ClientConnectorCertificateError as error:
            message = explain_certificate(address, error.certificate_error)
            raise _TransientError(message, reason=Reason.CERTIFICATE_UNTRUSTED) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _TransientError(explain_connection(error)) from None
        except NoCertificatesError:
            config_map, _, key = (address.ca_bundle_file or "").partition("/")
            message = f"Key {key} of ConfigMap {config_map} holds no certificate in PEM that can be read"
            raise ModelError(AbstentionReason.CA_BUNDLE_MISSING, message) from None
        except ValueError:
            message = f"Model {address.name} cannot be asked: its URL or its API key holds what a request cannot carry"
            raise ModelError(AbstentionReason.REFUSED_BY_SERVER, message) from None

    @property
    def _session(self) -> aiohttp.ClientSession:
        """Return the session; it is opened at the first call, because that runs in the event loop."""
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS), cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._opened


async def _decide(address: ModelAddress, decisions: Decisions, ask: Callable[[str, Body], Awaitable[bytes]]) -> Reply:
    """Return the ballot that the server's answers are, and what all calls together used."""
    scores: dict[str, float] = {}
    usage = Usage()
    for body in build_bodies(address, decisions):
        content = await ask(DECISIONS, body)
        usage = add_up(usage, read_usage(content))
        scores |= _read(address, read_scores, content)
    return Reply(write_ballot(decisions.questions, scores), "stop", usage, decided=True)


def _read(address: ModelAddress, read: Callable[[bytes], Content], content: bytes) -> Content:
    try:
        return read(content)
    except MalformedReplyError as error:
        raise ModelError(
            AbstentionReason.MALFORMED_ANSWER,
            f"The server of model {address.name} answered with nothing that was asked for: {error}",
            read_usage(content),
        ) from None


def build_body(address: ModelAddress, request: ChatRequest) -> dict[str, Any]:
    """Return the body of a chat completion. A schema goes where servers enforce it."""
    body: dict[str, Any] = {
        "model": address.model_name,
        "messages": list(request.messages),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
    }
    if request.schema is not None:
        json_schema = {"name": request.schema_name, "schema": request.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": json_schema}
    return body


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """Return the body, or raise ModelError as soon as it is longer than we take."""
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > MAX_RESPONSE_BYTES:
            response.close()
            message = f"The server answered with more than {MAX_RESPONSE_BYTES} bytes"
            raise ModelError(AbstentionReason.MALFORMED_ANSWER, message, Usage(calls=1))
    return bytes(content)


def _build_overload(status: int, retry_after: float | None) -> _TransientError:
    """Return the fault of a server that answers, and cannot now."""
    asked = "" if retry_after is None else f", and asks to be left alone for {retry_after:.0f} s"
    return _TransientError(f"HTTP {status}{asked}", retry_after)


def _judge_probe(address: ModelAddress, status: int, body: bytes) -> ProbeResult:
    """Return what a server's answer to /models says about the model.

    One that is asked too often is there and lets us in: calls wait as long as it asks them to.
    """
    if status == TOO_MANY:
        return ProbeResult(name=address.name)
    if status != OK:
        return _judge_refusal(address, status)
    try:
        names = read_model_names(body)
    except MalformedReplyError as error:
        return _probed(address, Reason.ENDPOINT_UNREACHABLE, f"the server's list of models is malformed: {error}")
    if address.model_name not in names:
        return _probed(address, Reason.MODEL_NOT_SERVED, f"the server does not serve {address.model_name}")
    return ProbeResult(name=address.name)


def _judge_refusal(address: ModelAddress, status: int) -> ProbeResult:
    if status in UNAUTHORIZED:
        return _probed(address, Reason.UNAUTHORIZED, f"the server answers HTTP {status}: check the API key")
    if status == NOT_FOUND:
        advice = "the server knows no /models: its URL should end with the API's version, such as /v1"
        return _probed(address, Reason.ENDPOINT_UNREACHABLE, advice)
    return _probed(address, Reason.ENDPOINT_UNREACHABLE, f"the server answers HTTP {status} to /models")


def _probed(address: ModelAddress, reason: Reason, message: str) -> ProbeResult:
    return ProbeResult(name=address.name, reason=reason, message=f"Model {address.name}: {message}")
