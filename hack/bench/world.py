"""The way into the cluster for measurements: a warm HTTP connection to the API server, and one to NATS."""

import asyncio
import base64
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import nats
from nats.aio.client import Client

from deliberation.bus.login import CredentialsLogin
from deliberation.protocol.authority import Authority
from deliberation.protocol.permissions import OPERATOR_USER
from demonstration.kubectl import API_OF, Body, Kubectl

SYSTEM = "council-system"
FIELD_MANAGER = "bench"
WATCH_SECONDS = 600


class ApiServer:
    """One namespace through `kubectl proxy`: starting kubectl anew for each apply takes longer than what we measure."""

    def __init__(self, session: aiohttp.ClientSession, namespace: str) -> None:
        self._session = session
        self._namespace = namespace

    async def apply(self, resource: str, body: Body) -> Body:
        """Server-side apply one object and return it as the server keeps it."""
        url = f"{self._url(resource)}/{body['metadata']['name']}?fieldManager={FIELD_MANAGER}&force=true"
        headers = {"Content-Type": "application/apply-patch+yaml"}
        async with self._session.patch(url, data=json.dumps(body), headers=headers) as response:
            response.raise_for_status()
            return dict(await response.json())

    async def delete(self, resource: str, name: str) -> None:
        """Ask for the deletion of one object."""
        async with self._session.delete(f"{self._url(resource)}/{name}") as response:
            response.raise_for_status()

    async def watch(self, resource: str) -> AsyncIterator[Body]:
        """Yield every object of the namespace whenever it changes."""
        url = f"{self._url(resource)}?watch=1&timeoutSeconds={WATCH_SECONDS}"
        async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=None)) as response:
            response.raise_for_status()
            buffer = b""
            async for chunk in response.content.iter_any():
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    event: dict[str, Any] = json.loads(line)
                    yield event["object"]

    def _url(self, resource: str) -> str:
        return f"{API_OF[resource]}/namespaces/{self._namespace}/{resource}"


@asynccontextmanager
async def api_server(kubectl: Kubectl) -> AsyncIterator[ApiServer]:
    """Yield the namespace's API, over a proxy that ends with the block."""
    async with (
        _running(kubectl, "proxy", "--port=0", ready=r"Starting to serve on (\S+)") as address,
        aiohttp.ClientSession(f"http://{address}") as session,
    ):
        yield ApiServer(session, kubectl.namespace)


@asynccontextmanager
async def bus(kubectl: Kubectl) -> AsyncIterator[Client]:
    """Yield a connection to the chart's NATS, as the operator in the account of the namespace."""
    system = kubectl.within(SYSTEM)
    secret = system.find("secrets", "council-operator-bus") or {"data": {"authority-key": ""}}
    authority = Authority(base64.b64decode(secret["data"]["authority-key"]))
    login = CredentialsLogin(OPERATOR_USER, authority.operator(kubectl.namespace))
    command = ("port-forward", "service/council-operator-nats", ":4222")
    async with _running(system, *command, ready=r"Forwarding from (127\.0\.0\.1:\d+)") as address:
        client = await nats.connect(f"nats://{address}", **login.build_options())
        try:
            yield client
        finally:
            await client.close()


@asynccontextmanager
async def _running(kubectl: Kubectl, *command: str, ready: str) -> AsyncIterator[str]:
    """Run kubectl in the background; yield the address that its first line names."""
    process = await asyncio.create_subprocess_exec(
        *("kubectl", "--kubeconfig", str(kubectl.kubeconfig), "--namespace", kubectl.namespace, *command),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        line = (await process.stdout.readline()).decode() if process.stdout else ""
        found = re.search(ready, line)
        if not found:
            raise RuntimeError(f"kubectl {' '.join(command)} did not start: {line.strip()}")
        yield found[1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def kubectl_of_environment(namespace: str) -> Kubectl:
    """Return the cluster of KUBECONFIG.

    Raises:
        SystemExit: it is not set.
    """
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        raise SystemExit("KUBECONFIG is not set: export KUBECONFIG=$(hack/cluster kubeconfig --name demo)")
    return Kubectl(Path(kubeconfig), namespace)
