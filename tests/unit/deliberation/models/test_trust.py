"""A client trusts exactly the declared authorities, and those that are declared now; against a real TLS server."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from clusters.pki import Authority, Pair, store
from deliberation.api.v1alpha1.reasons import AbstentionReason, Reason
from deliberation.models.client import ChatClient
from deliberation.models.trust import MAX_CONTEXTS, NoCertificatesError, Trust
from deliberation.protocol.chat import Access, ChatRequest, ModelError
from deliberation.protocol.health import ProbeResult
from deliberation.protocol.tasks import ModelAddress

LOOPBACK = (IPv4Address("127.0.0.1"),)
COMPLETION = {"choices": [{"message": {"content": "the answer"}, "finish_reason": "stop"}], "usage": {}}
REQUEST = ChatRequest(messages=({"role": "user", "content": "q"},), max_tokens=7, temperature=0.7, top_p=0.9, seed=3)


class FakeClock:
    """A clock that only pauses advance; `on_pause` is called at each."""

    def __init__(self) -> None:
        self.milliseconds = 0
        self.on_pause: Callable[[], None] = lambda: None

    def now_ms(self) -> int:
        return self.milliseconds

    async def pause(self, seconds: float) -> None:
        self.milliseconds += int(seconds * 1000)
        self.on_pause()


def bundle(authority: Authority) -> str:
    return authority.pair.certificate.decode()


@asynccontextmanager
async def tls_server(pair: Pair, folder: Path) -> AsyncIterator[ModelAddress]:
    """Serve a model with that certificate on the loopback."""
    store(folder, "server", pair)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")

    async def answer(request: web.Request) -> web.Response:
        is_chat = request.method == "POST"
        return web.json_response(COMPLETION if is_chat else {"data": [{"id": "qwen"}]})

    app = web.Application()
    app.router.add_route("*", "/v1/{path:.*}", answer)
    server = TestServer(app, scheme="https", host="127.0.0.1")
    await server.start_server(ssl=context)
    try:
        yield ModelAddress(
            name="small",
            base_url=f"https://127.0.0.1:{server.port}/v1",
            model_name="qwen",
            ca_bundle_file="company/ca.crt",
        )
    finally:
        await server.close()


@pytest.fixture
async def client() -> AsyncIterator[ChatClient]:
    client = ChatClient()
    yield client
    await client.close()


def advice(result: ProbeResult) -> tuple[str | None, str]:
    return result.reason, result.message


async def test_the_declared_authority_is_trusted_and_no_other(client: ChatClient, tmp_path: Path) -> None:
    ours, others = Authority("ours"), Authority("others")
    async with tls_server(ours.issue("server", addresses=LOOPBACK), tmp_path) as address:
        assert (await client.probe(address, Access(ca_bundle=bundle(ours)))).reason is None
        both = Access(ca_bundle=f"# Société\n{bundle(others)}\n{bundle(ours)}")
        assert (await client.probe(address, both)).reason is None
        for access in (Access(ca_bundle=bundle(others)), Access()):
            reason, message = advice(await client.probe(address, access))
            assert reason == Reason.CERTIFICATE_UNTRUSTED
            assert f"the certificate of {address.base_url.removesuffix('/v1')} is not trusted: " in message
            assert "unable to get local issuer certificate" in message


async def test_a_certificate_of_another_host_is_told_as_such(client: ChatClient, tmp_path: Path) -> None:
    ours = Authority("ours")
    async with tls_server(ours.issue("server", hosts=["elsewhere.example"]), tmp_path) as address:
        reason, message = advice(await client.probe(address, Access(ca_bundle=bundle(ours))))
    assert reason == Reason.CERTIFICATE_UNTRUSTED
    assert "IP address mismatch" in message


async def test_a_server_that_moves_to_another_authority_is_answered_as_soon_as_the_bundle_says_so(
    client: ChatClient, tmp_path: Path
) -> None:
    old, new = Authority("old"), Authority("new")
    async with tls_server(old.issue("server", addresses=LOOPBACK), tmp_path) as address:
        assert (await client.probe(address, Access(ca_bundle=bundle(old)))).reason is None
        assert (await client.probe(address, Access(ca_bundle=bundle(new)))).reason == Reason.CERTIFICATE_UNTRUSTED
    async with tls_server(new.issue("server", addresses=LOOPBACK), tmp_path) as address:
        assert (await client.probe(address, Access(ca_bundle=bundle(old)))).reason == Reason.CERTIFICATE_UNTRUSTED
        assert (await client.probe(address, Access(ca_bundle=bundle(new)))).reason is None


async def test_a_call_in_progress_takes_up_a_bundle_that_was_put_right(tmp_path: Path) -> None:
    ours, clock = Authority("ours"), FakeClock()
    now = [Access(ca_bundle=bundle(Authority("others")))]
    clock.on_pause = lambda: now.append(Access(ca_bundle=bundle(ours)))
    client = ChatClient(pause=clock.pause)
    async with tls_server(ours.issue("server", addresses=LOOPBACK), tmp_path) as address:
        reply = await client.complete(address, lambda: now[-1], REQUEST, 60_000, clock)
    await client.close()
    assert reply.text == "the answer"
    assert len(now) == 2


async def test_a_call_that_never_finds_trust_tells_which_server_it_did_not_trust(tmp_path: Path) -> None:
    clock = FakeClock()
    client = ChatClient(pause=clock.pause)
    async with tls_server(Authority("ours").issue("server", addresses=LOOPBACK), tmp_path) as address:
        with pytest.raises(ModelError, match=r"the certificate of https://127\.0\.0\.1:") as failure:
            await client.complete(address, Access, REQUEST, 2_000, clock)
    await client.close()
    assert failure.value.reason is AbstentionReason.MODEL_UNAVAILABLE


@pytest.mark.parametrize("text", ["not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "é"])
async def test_a_bundle_without_certificates_is_told_by_the_place_where_it_lies(client: ChatClient, text: str) -> None:
    address = ModelAddress(
        name="small", base_url="https://127.0.0.1:1/v1", model_name="qwen", ca_bundle_file="company/ca.crt"
    )
    reason, message = advice(await client.probe(address, Access(ca_bundle=text)))
    assert reason == Reason.CA_BUNDLE_MISSING
    assert "Key ca.crt of ConfigMap company holds no certificate" in message
    with pytest.raises(NoCertificatesError):
        Trust().get_context(text)


def test_contexts_are_kept_for_as_long_as_their_bundles_are_used() -> None:
    trust, first = Trust(), bundle(Authority("first"))
    kept = trust.get_context(first)
    for number in range(MAX_CONTEXTS - 1):
        trust.get_context(f"{first}\n# {number}")
    assert trust.get_context(first) is kept
    trust.get_context(f"{first}\n# one more")
    assert trust.get_context(first) is kept
    assert trust.get_context(None) is True
