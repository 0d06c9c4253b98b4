"""A probe finds out whether a model answers, and tells what is wrong."""

import pytest

from deliberation.api.v1alpha1.reasons import Reason
from deliberation.models import client as client_module
from deliberation.models.client import ChatClient
from deliberation.protocol.chat import Access
from unit.deliberation.models.chat_server import KEY, Answer, FakeChatServer, says, says_nothing


async def test_a_probe_finds_the_model(client: ChatClient, server: FakeChatServer) -> None:
    server.answers = [says(body={"data": [{"id": "other"}, {"id": "qwen"}]})]
    result = await client.probe(server.address(), Access(KEY))
    assert (result.name, result.reason) == ("small", None)
    assert server.requests[0].path == "/v1/models"
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (says(body={"data": [{"id": "other"}, 7, None]}), Reason.MODEL_NOT_SERVED, "does not serve qwen"),
        (says(401), Reason.UNAUTHORIZED, "HTTP 401: check the API key"),
        (says(403), Reason.UNAUTHORIZED, "HTTP 403: check the API key"),
        (says(404), Reason.ENDPOINT_UNREACHABLE, "should end with the API's version, such as /v1"),
        (says(503), Reason.ENDPOINT_UNREACHABLE, "HTTP 503"),
        (says(body="hello"), Reason.ENDPOINT_UNREACHABLE, "not JSON"),
        (says(body={"data": {}}), Reason.ENDPOINT_UNREACHABLE, "no data"),
        (says_nothing, Reason.ENDPOINT_UNREACHABLE, "did not answer in time"),
    ],
)
async def test_a_probe_tells_what_is_wrong(
    client: ChatClient,
    server: FakeChatServer,
    monkeypatch: pytest.MonkeyPatch,
    answer: Answer,
    reason: Reason,
    words: str,
) -> None:
    if answer is says_nothing:
        monkeypatch.setattr(client_module, "PROBE_SECONDS", 0.2)
    server.answers = [answer]
    result = await client.probe(server.address(), Access(KEY))
    assert result.reason == reason
    assert words in result.message
    assert KEY not in result.message


async def test_a_server_that_is_asked_too_often_is_there(client: ChatClient, server: FakeChatServer) -> None:
    server.answers = [says(429, headers={"Retry-After": "60"})]
    assert (await client.probe(server.address(), Access(KEY))).reason is None


async def test_a_probe_of_nobody_tells_so(client: ChatClient, server: FakeChatServer, unused_tcp_port: int) -> None:
    result = await client.probe(server.address(base_url=f"http://127.0.0.1:{unused_tcp_port}"), Access())
    assert result.reason == Reason.ENDPOINT_UNREACHABLE
    assert "nothing listens" in result.message
