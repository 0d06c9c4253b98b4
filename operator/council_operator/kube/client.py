"""The Kubernetes port on `kubernetes.aio`: its transport and its ways to log in, without its object models."""

import json
from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from council_operator.kube.port import Body, ConflictError, ForbiddenError, InvalidError, KubernetesError, NotFoundError
from council_operator.plan.actions import ObjectReference
from council_operator.telemetry import API_REQUESTS
from deliberation.api.v1alpha1.base import API_VERSION

PLURALS = {
    (API_VERSION, "Council"): "councils",
    (API_VERSION, "Deliberation"): "deliberations",
    ("apps/v1", "Deployment"): "deployments",
    ("ray.io/v1", "RayJob"): "rayjobs",
    ("policy/v1", "PodDisruptionBudget"): "poddisruptionbudgets",
    ("v1", "ConfigMap"): "configmaps",
    ("v1", "Event"): "events",
    ("v1", "Node"): "nodes",
    ("v1", "Pod"): "pods",
    ("v1", "Secret"): "secrets",
    ("v1", "Service"): "services",
}
"""Every kind that the operator touches; RBAC is held against it."""

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

METHODS = {"get": "GET", "list": "GET", "create": "POST", "patch": "PATCH", "delete": "DELETE"}
"""Methods of HTTP by the verbs of Kubernetes."""

PAGE_SIZE = 200
"""Objects of one answer to a listing in pages: a Deliberation may have 128 KiB of question."""

BAD_REQUEST = 400
_ERRORS = {400: InvalidError, 403: ForbiddenError, 404: NotFoundError, 409: ConflictError, 422: InvalidError}
"""What the statuses of HTTP mean to the operator."""

_UNTYPED = "failed to create typed patch object"
"""How server-side apply tells of fields that no such object has, or of another type: with status 500."""


class KubernetesClient:
    """Talks to one API server."""

    def __init__(self, api: ApiClient, timeout_seconds: float = 30) -> None:
        self._api = api
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=10)

    @classmethod
    async def connect(cls, connections: int = 50) -> "KubernetesClient":
        """Log in with the pod's service account, or else with the kubeconfig of the user.

        Raises:
            kubernetes.aio.config.ConfigException: neither is there.
        """
        configuration = Configuration()
        await config.load_config(client_configuration=configuration)
        configuration.connection_pool_maxsize = connections
        return cls(ApiClient(configuration))

    async def close(self) -> None:
        """Close every connection."""
        await self._api.close()

    async def find(self, reference: ObjectReference) -> Body | None:
        """Return the object, or None when it does not exist."""
        try:
            return await self._request("get", reference.kind, _path(reference))
        except NotFoundError:
            return None

    async def list_labelled(self, api_version: str, kind: str, namespace: str, selector: str) -> Sequence[Body]:
        """Return the objects of one kind in a namespace that a label selector matches."""
        path = _path(ObjectReference(api_version, kind, namespace, ""))
        listed = await self._request("list", kind, f"{path}?{urlencode({'labelSelector': selector})}")
        items: list[Body] = listed["items"]
        return items

    async def list_everywhere(self, api_version: str, kind: str, selector: str) -> Sequence[Body]:
        """Return the objects of one kind in all namespaces, or of the cluster; an empty selector matches them all."""
        query = f"?{urlencode({'labelSelector': selector})}" if selector else ""
        listed = await self._request("list", kind, f"{_root(api_version)}/{PLURALS[api_version, kind]}{query}")
        items: list[Body] = listed["items"]
        return items

    async def list_pages(self, api_version: str, kind: str, namespace: str | None) -> AsyncIterator[Sequence[Body]]:
        """Iterate over the objects of one kind, in one namespace or in all, PAGE_SIZE at a time."""
        place = f"namespaces/{quote(namespace)}/" if namespace else ""
        path = f"{_root(api_version)}/{place}{PLURALS[api_version, kind]}"
        query: dict[str, str | int] = {"limit": PAGE_SIZE}
        while True:
            listed = await self._request("list", kind, f"{path}?{urlencode(query)}")
            yield listed["items"]
            mark = listed["metadata"].get("continue")
            if not mark:
                return
            query["continue"] = mark

    async def apply(self, body: Body, field_manager: str) -> Body:
        """Server-side apply, forcing ownership; return the object as it is then."""
        return await self._apply(body, field_manager, "")

    async def contribute(self, body: Body, field_manager: str) -> Body:
        """Server-side apply without force: own these fields and no other, beside whoever else owns the object."""
        return await self._apply(body, field_manager, "", force=False)

    async def apply_status(self, body: Body, field_manager: str) -> Body:
        """Server-side apply of the status subresource."""
        return await self._apply(body, field_manager, "/status")

    async def merge(self, reference: ObjectReference, patch: Body) -> Body:
        """Merge-patch the object."""
        return await self._request("patch", reference.kind, _path(reference), patch, MERGE)

    async def delete(self, reference: ObjectReference, uid: str, resource_version: str | None = None) -> None:
        """Delete the object with this uid, in the background."""
        preconditions = {"uid": uid} | ({"resourceVersion": resource_version} if resource_version else {})
        options = {"propagationPolicy": "Background", "preconditions": preconditions}
        try:
            await self._request("delete", reference.kind, _path(reference), options)
        except NotFoundError:
            return

    async def create(self, body: Body) -> Body:
        """Create the object."""
        return await self._request("create", body["kind"], _path(_reference(body, name="")), body)

    async def _apply(self, body: Body, field_manager: str, subresource: str, *, force: bool = True) -> Body:
        query = urlencode({"fieldManager": field_manager, "force": str(force).lower()})
        path = f"{_path(_reference(body))}{subresource}?{query}"
        return await self._request("patch", body["kind"], path, body, APPLY)

    async def _request(self, verb: str, kind: str, path: str, body: Body | None = None, content: str = JSON) -> Body:
        API_REQUESTS.labels(verb, kind).inc()
        method = METHODS[verb]
        headers = {"Accept": "application/json", "Content-Type": content, "User-Agent": "council-operator"}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = f"{self._api.configuration.host}{path}"
        try:
            response = await self._api.call_api(method, url, headers, body, _request_timeout=self._timeout)
            data = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubernetesError(0, "Unreachable", f"{method} {path}: {type(error).__name__}: {error}") from error
        answer: Body = _decode(data)
        if response.status >= BAD_REQUEST:
            message = str(answer.get("message", response.reason))
            is_untyped = message.startswith(_UNTYPED)
            error_type = InvalidError if is_untyped else _ERRORS.get(response.status, KubernetesError)
            raise error_type(response.status, str(answer.get("reason", response.reason)), message)
        return answer


def _decode(data: bytes) -> Body:
    """Return the JSON object in `data`; a proxy's page that is none becomes its message."""
    try:
        answer = json.loads(data)
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {"message": data[:500].decode(errors="replace")}


def _reference(body: Body, name: str | None = None) -> ObjectReference:
    metadata = body["metadata"]
    return ObjectReference(
        body["apiVersion"], body["kind"], metadata.get("namespace", ""), metadata["name"] if name is None else name
    )


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _path(reference: ObjectReference) -> str:
    """Return the URL path of an object, or of its collection when the name is empty."""
    plural = PLURALS[(reference.api_version, reference.kind)]
    scope = f"/namespaces/{quote(reference.namespace)}" if reference.namespace else ""
    collection = f"{_root(reference.api_version)}{scope}/{plural}"
    return f"{collection}/{quote(reference.name)}" if reference.name else collection
