import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import ApiClient, Configuration

from council_operator.kube.client import KubernetesClient
from council_operator.kube.port import ConflictError, ForbiddenError, InvalidError, KubernetesError, NotFoundError
from council_operator.plan.actions import ObjectReference
from council_operator.telemetry import REGISTRY

COUNCIL = ObjectReference("councils.dev/v1alpha1", "Council", "default", "architects")

Answer = Callable[[web.Request], Awaitable[web.Response]]


class FakeApiServer:
    """Answers every request with what the test says, and keeps the request."""

    def __init__(self) -> None:
        self.status = 200
        self.text = "{}"
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.text()
        headers = {name: request.headers[name] for name in ("Content-Type", "Authorization") if name in request.headers}
        self.requests.append((request.method, request.path_qs, headers, json.loads(body) if body else None))
        return web.Response(status=self.status, text=self.text)


@pytest.fixture
async def server() -> AsyncIterator[tuple[FakeApiServer, KubernetesClient]]:
    fake = FakeApiServer()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", fake.answer)
    async with TestServer(application) as running:
        configuration = Configuration(host=str(running.make_url("")).rstrip("/"))
        configuration.api_key["BearerToken"] = "bearer t0ken"
        client = KubernetesClient(ApiClient(configuration))
        yield fake, client
        await client.close()


async def test_status_is_applied_server_side_to_its_subresource(server: tuple[FakeApiServer, KubernetesClient]) -> None:
    fake, client = server
    body = {
        "apiVersion": COUNCIL.api_version,
        "kind": "Council",
        "metadata": {"namespace": "default", "name": "architects"},
        "status": {"conditions": []},
    }
    await client.apply_status(body, "council-operator-status")
    ((method, path, headers, sent),) = fake.requests
    assert method == "PATCH"
    assert path == (
        "/apis/councils.dev/v1alpha1/namespaces/default/councils/architects/status"
        "?fieldManager=council-operator-status&force=true"
    )
    assert headers == {"Content-Type": "application/apply-patch+yaml", "Authorization": "bearer t0ken"}
    assert sent == body


async def test_an_absent_object_is_none_but_an_absent_kind_is_an_error(
    server: tuple[FakeApiServer, KubernetesClient],
) -> None:
    fake, client = server
    fake.status, fake.text = 404, '{"reason": "NotFound", "message": "not there"}'
    assert await client.find(COUNCIL) is None
    with pytest.raises(NotFoundError, match="not there"):
        await client.list_labelled("ray.io/v1", "RayJob", "default", "a=b")


async def test_deleting_names_the_uid_and_forgives_absence(server: tuple[FakeApiServer, KubernetesClient]) -> None:
    fake, client = server
    fake.status = 404
    await client.delete(COUNCIL, "uid-1", "7")
    assert fake.requests[0][3]["preconditions"] == {"uid": "uid-1", "resourceVersion": "7"}


async def test_requests_are_counted_by_verb_and_kind(server: tuple[FakeApiServer, KubernetesClient]) -> None:
    fake, client = server
    fake.text = '{"items": []}'

    def count(verb: str) -> float:
        return REGISTRY.get_sample_value("council_api_requests_total", {"verb": verb, "kind": "Council"}) or 0

    before = count("get"), count("list")
    await client.find(COUNCIL)
    await client.list_labelled(COUNCIL.api_version, COUNCIL.kind, "default", "a=b")
    assert (count("get"), count("list")) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize(
    ("status", "kind"), [(409, ConflictError), (422, KubernetesError), (403, KubernetesError), (503, KubernetesError)]
)
async def test_refusals_carry_the_servers_words(
    server: tuple[FakeApiServer, KubernetesClient], status: int, kind: type[KubernetesError]
) -> None:
    fake, client = server
    fake.status, fake.text = status, '{"reason": "Because", "message": "spec.seats: must be at least 1"}'
    with pytest.raises(kind, match=r"Because: spec\.seats: must be at least 1"):
        await client.merge(COUNCIL, {"metadata": {}})


async def test_a_proxys_page_is_an_error_too(server: tuple[FakeApiServer, KubernetesClient]) -> None:
    fake, client = server
    fake.status, fake.text = 502, "<html>bad gateway</html>"
    with pytest.raises(KubernetesError, match="bad gateway"):
        await client.find(COUNCIL)


async def test_an_unreachable_server_is_an_error_with_status_0() -> None:
    client = KubernetesClient(ApiClient(Configuration(host="http://127.0.0.1:9")))
    with pytest.raises(KubernetesError) as caught:
        await client.find(COUNCIL)
    await client.close()
    assert caught.value.status == 0


@pytest.mark.parametrize(
    ("api_version", "kind", "selector", "path"),
    [
        ("v1", "Node", "", "/api/v1/nodes"),
        ("apps/v1", "Deployment", "a=b,c=d", "/apis/apps/v1/deployments?labelSelector=a%3Db,c%3Dd"),
    ],
)
async def test_all_namespaces_are_listed_at_once(
    server: tuple[FakeApiServer, KubernetesClient], api_version: str, kind: str, selector: str, path: str
) -> None:
    fake, client = server
    fake.text = '{"items": [{"metadata": {"name": "a"}}]}'
    assert [item["metadata"]["name"] for item in await client.list_everywhere(api_version, kind, selector)] == ["a"]
    assert fake.requests[0][:2] == ("GET", path)


async def test_what_may_not_be_read_is_told_apart(server: tuple[FakeApiServer, KubernetesClient]) -> None:
    fake, client = server
    fake.status, fake.text = 403, '{"reason": "Forbidden", "message": "nodes is forbidden"}'
    with pytest.raises(ForbiddenError, match="nodes is forbidden"):
        await client.list_everywhere("v1", "Node", "")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (422, "spec.template.spec.restartPolicy: Unsupported value"),
        (400, "strict decoding error"),
        (500, "failed to create typed patch object (x): .spec.colour: field not declared in schema"),
    ],
)
async def test_an_object_that_is_itself_at_fault_is_told_apart(
    server: tuple[FakeApiServer, KubernetesClient], status: int, message: str
) -> None:
    fake, client = server
    fake.status, fake.text = status, json.dumps({"reason": "x", "message": message})
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "default", "name": "m"}}
    with pytest.raises(InvalidError):
        await client.apply(body, "manager")
    fake.status, fake.text = 500, "{}"
    with pytest.raises(KubernetesError) as other:
        await client.apply(body, "manager")
    assert not isinstance(other.value, InvalidError)


async def test_a_contribution_takes_nothing_from_others_and_a_node_has_no_namespace(
    server: tuple[FakeApiServer, KubernetesClient],
) -> None:
    fake, client = server
    await client.contribute({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}}, "sharing")
    assert fake.requests[0][1] == "/api/v1/nodes/a?fieldManager=sharing&force=false"
