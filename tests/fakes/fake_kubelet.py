"""A fake node: binds every pod of a namespace to itself and reports it ready. No container runs."""

import asyncio
import itertools
import json
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from contract.api_server import ApiServer, RefusedError

NODE = "fake-node"
LOOK_SECONDS = 0.5
LOOKS_PER_BEAT = 20


class FakeKubelet:
    """Does for the pods of one namespace what the scheduler and a kubelet do, as far as their status shows it."""

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        await asyncio.to_thread(self.api.kubectl, "apply", "--filename=-", stdin=json.dumps(node))
        await self._beat()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        ready: set[str] = set()
        for look in itertools.count():
            if look % LOOKS_PER_BEAT == 0:
                await self._beat()
            listed = json.loads(await asyncio.to_thread(self.api.kubectl, "get", "pods", "--output=json"))
            for pod in listed["items"]:
                if pod["metadata"]["uid"] not in ready:
                    with suppress(RefusedError):
                        await self._make_ready(pod)
                        ready.add(pod["metadata"]["uid"])
            await asyncio.sleep(LOOK_SECONDS)

    async def _beat(self) -> None:
        """Say that the node is ready: Kubernetes gives a node up that it has not heard of for 50 seconds."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": now}
        with suppress(RefusedError):
            await self._set_status("node", NODE, {"conditions": [ready]})

    async def _make_ready(self, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        if "nodeName" not in pod["spec"]:
            binding = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
            }
            path = f"/api/v1/namespaces/{self.api.namespace}/pods/{name}/binding"
            await asyncio.to_thread(
                self.api.kubectl, "create", f"--raw={path}", "--filename=-", stdin=json.dumps(binding)
            )
        conditions = [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Ready", "ContainersReady")]
        await self._set_status("pod", name, {"phase": "Running", "conditions": conditions})

    async def _set_status(self, kind: str, name: str, status: dict[str, Any]) -> None:
        patch = json.dumps({"status": status})
        arguments = ("patch", kind, name, "--subresource=status", "--type=merge", f"--patch={patch}")
        await asyncio.to_thread(self.api.kubectl, *arguments)
