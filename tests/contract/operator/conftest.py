import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client

from clusters import folders, kuberay, programs
from clusters.progress import Progress
from contract.api_server import ApiServer, RefusedError
from contract.operator import rights
from deliberation.bus.jetstream import JetStreamBus, connect
from deliberation.bus.login import CredentialsLogin, SecretLogin
from deliberation.bus.namespaced import NamespacedBus, connect_namespaced
from deliberation.protocol.subjects import Run
from deliberation.runner.settings import BUS_SECRET
from fakes.fake_runner import FakeRunner
from fakes.nats_server import AUTHORITY, NatsServer, nats_server, trusting_server
from fakes.operator_process import OperatorProcess

__all__ = ["nats_server", "trusting_server"]

WAIT_SECONDS = 180
LOOK_SECONDS = 0.1
CRD_SECONDS = 300
"""KubeRay's definitions are megabytes: on a busy machine the API server takes its time to check them."""

Body = dict[str, Any]

ENDPOINT = {"name": "small", "endpoint": {"url": "http://127.0.0.1:9/v1", "modelName": "m"}}
"""A model that somebody else serves: no Deployment, so no node is needed. The fake runner answers its probes."""

MEMBERS = [{"name": "dev", "role": "Developer", "modelRef": "small", "seats": 3}]


@dataclass
class World:
    """An API server, a bus and an operator, and what users and KubeRay do to them."""

    api: ApiServer
    nats: NatsServer
    operator: OperatorProcess

    async def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return await asyncio.to_thread(self.api.kubectl, *arguments, stdin=stdin)

    async def apply(self, body: Body) -> Body:
        return await asyncio.to_thread(self.api.apply, body)

    async def get(self, kind: str, name: str) -> Body:
        return await asyncio.to_thread(self.api.get, kind, name)

    async def wait(self, what: str, condition: str, seconds: int = WAIT_SECONDS) -> None:
        """Wait as a user does; on failure say what was there instead."""
        try:
            await asyncio.to_thread(self.api.kubectl_wait, what, condition, seconds)
        except RefusedError as error:
            kind, _, name = what.partition("/")
            found = await asyncio.to_thread(self.api.kubectl, "get", kind, name, "--output=yaml")
            log = self.operator.log.read_text()[-3000:]
            raise AssertionError(f"{error}\n{found}\n--- operator:\n{log}") from None

    async def wait_condition(self, what: str, kind: str, status: str, reason: str) -> None:
        await self.wait(what, f"condition={kind}={status}")
        await self.wait(what, f'jsonpath={{.status.conditions[?(@.type=="{kind}")].reason}}={reason}')

    async def connect_bus(self) -> JetStreamBus:
        """Connect as a runner does: with what the operator has put into the namespace's Secret."""
        secret = await self.get("secret", BUS_SECRET)
        folder = self.operator.log.parent / BUS_SECRET
        folder.mkdir(exist_ok=True)
        for key, value in secret["data"].items():
            (folder / key).write_bytes(base64.b64decode(value))
        return await connect(self.nats.url, login=SecretLogin("runner", folder), name="test")

    @asynccontextmanager
    async def operators_bus(self) -> AsyncIterator[NamespacedBus]:
        """Give a bus that may do what the operator may, which is more than a runner may."""
        bus = await connect_namespaced(self.nats.url, AUTHORITY, name="test")
        try:
            yield bus
        finally:
            await bus.close()

    async def await_nothing_left(self, run: Run) -> None:
        """Return as soon as the bus has nothing of the run any more."""
        async with self.operators_bus() as bus, asyncio.timeout(WAIT_SECONDS):
            # Nobody tells of a purge.
            while await bus.read_task(run.namespace, run.deliberation_uid) or await bus.read_ledger(run):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)

    @asynccontextmanager
    async def raw_nats(self) -> AsyncIterator[Client]:
        """Give a plain client of NATS that may do anything in the account of the test's namespace."""
        login = CredentialsLogin("operator", AUTHORITY.operator(self.api.namespace))
        client = await nats.connect(self.nats.url, **login.build_options())
        try:
            yield client
        finally:
            await client.close()

    async def fake_runner(self, council: str) -> FakeRunner:
        """Return a fake runner for a Council, once KubeRay's RayJob for it is there."""
        await self.wait(f"council/{council}", "jsonpath={.status.runner.rayJob}")
        body = await self.get("council", council)
        name = body["status"]["runner"]["rayJob"]
        await self.wait(f"rayjob/{name}", "create")
        await self.script_ray_job(name, {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"})
        runner = FakeRunner(await self.connect_bus(), self.api.namespace, name)
        runner.seats = {body["metadata"]["uid"]: 3}
        return runner

    async def script_ray_job(self, name: str, status: Body) -> None:
        """Set the status of a RayJob, as KubeRay would."""
        patch = json.dumps({"status": {"rayClusterName": f"{name}-x", **status}})
        await self.kubectl("patch", "rayjob", name, "--subresource=status", "--type=merge", f"--patch={patch}")


@pytest.fixture(scope="session")
def with_kuberay(installed: ApiServer) -> ApiServer:
    """The API server with KubeRay's kinds too, but without KubeRay."""
    program = programs.provide(programs.KUBERAY, folders.from_environment().cache, Progress())
    for file in kuberay.crd_files(program):
        installed.kubectl("apply", "--server-side", f"--filename={file}", within=CRD_SECONDS)
    installed.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=120s", within=150)
    return installed


@pytest.fixture
def operator(
    with_kuberay: ApiServer, api_server: ApiServer, trusting_server: NatsServer, tmp_path: Path
) -> Iterator[OperatorProcess]:
    """The operator of the test's namespace, with no more rights than the chart gives it."""
    assert with_kuberay.kubeconfig == api_server.kubeconfig
    kubeconfig = rights.grant(api_server, tmp_path)
    process = OperatorProcess(tmp_path, kubeconfig, trusting_server.url, api_server.namespace, AUTHORITY.secret)
    process.start()
    yield process
    process.kill()


@pytest.fixture
def world(api_server: ApiServer, trusting_server: NatsServer, operator: OperatorProcess) -> World:
    return World(api_server, trusting_server, operator)


@pytest.fixture
async def council(world: World) -> AsyncIterator[FakeRunner]:
    """The Council "architects" of three seats, Ready, with a fake runner."""
    await world.apply(council_body())
    async with await world.fake_runner("architects") as runner:
        await world.wait("council/architects", "condition=Ready")
        yield runner


def council_body(name: str = "architects", **spec: Any) -> Body:
    spec = {"models": [ENDPOINT], "members": MEMBERS, **spec}
    return {"apiVersion": "councils.dev/v1alpha1", "kind": "Council", "metadata": {"name": name}, "spec": spec}


def question_body(name: str = "question", **spec: Any) -> Body:
    spec = {"councilRef": {"name": "architects"}, "question": "Is it?", "answer": {"type": "Boolean"}, **spec}
    return {"apiVersion": "councils.dev/v1alpha1", "kind": "Deliberation", "metadata": {"name": name}, "spec": spec}
