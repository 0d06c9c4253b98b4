"""Two ways to the API server: plain requests while it starts, kubectl for everything else."""

import json
import ssl
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import yaml

from clusters import commands
from clusters.errors import StepFailed


class Requests:
    """Requests with the administrator's certificate, cheap enough to ask many times a second.

    Args:
        url: of the API server.
        credentials: folder that `Credentials` has filled.
    """

    def __init__(self, url: str, credentials: Path) -> None:
        self.url = url
        self._context = ssl.create_default_context(cafile=str(credentials / "ca.crt"))
        self._context.load_cert_chain(credentials / "admin.crt", credentials / "admin.key")

    def ready(self) -> bool:
        """Tell whether the API server says that it is ready."""
        return self._get("/readyz") == b"ok"

    def node_has_address(self, node: str) -> bool:
        """Tell whether the kubelet of a node has reported the node's address."""
        body = self._get(f"/api/v1/nodes/{node}")
        addresses = json.loads(body)["status"].get("addresses", []) if body else []
        return any(address["type"] == "InternalIP" for address in addresses)

    def _get(self, path: str) -> bytes | None:
        request = Request(self.url + path)  # noqa: S310 -- the URL is our own, always https
        try:
            with urlopen(request, timeout=2, context=self._context) as response:  # noqa: S310
                return bytes(response.read())
        except (URLError, ConnectionError, TimeoutError):
            return None


class Kubectl:
    """kubectl with one kubeconfig file.

    Args:
        kubeconfig: of the cluster.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def apply(self, objects: list[dict[str, Any]], step: str) -> None:
        """Apply objects, server-side.

        Raises:
            StepFailed: the API server refused one.
        """
        self._run(["apply", "--server-side", "--filename", "-"], step, text=yaml.safe_dump_all(objects))

    def apply_path(self, flag: str, path: Path, step: str) -> None:
        """Apply what lies at a path, server-side: `--filename` for manifests, `--kustomize` for a kustomization.

        Raises:
            StepFailed: the API server refused an object.
        """
        self._run(["apply", "--server-side", flag, str(path)], step)

    def wait(self, arguments: list[str], step: str, seconds: int = 300) -> None:
        """Wait as `kubectl wait` does.

        Raises:
            StepFailed: the condition does not hold after that time.
        """
        self._run(["wait", f"--timeout={seconds}s", *arguments], step, seconds=seconds + 10)

    def wait_deployment(self, name: str, namespace: str, step: str) -> None:
        """Wait until a Deployment is available.

        Raises:
            StepFailed: it is not after two minutes; the message shows the state of its pods.
        """
        try:
            self.wait([f"--namespace={namespace}", "--for=condition=Available", f"deployment/{name}"], step)
        except StepFailed as failure:
            pods = self._run(["get", "pods", f"--namespace={namespace}", "--output=wide"], step)
            events = self._run(["get", "events", f"--namespace={namespace}", "--field-selector=type=Warning"], step)
            raise StepFailed(step, f"{failure.reason}\n{pods}{events}") from failure

    def problems(self, nodes: int) -> list[str]:
        """Return what keeps the cluster from being healthy, each as a sentence: API server, nodes."""
        try:
            self._run(["get", "--raw", "/readyz"], "asking the API server", seconds=60)
            listed = json.loads(self._run(["get", "nodes", "--output=json"], "listing the nodes", seconds=60))["items"]
        except StepFailed as error:
            return [f"the API server does not answer ({error.reason.splitlines()[-1].strip()})"]
        ready = [node for node in listed if _condition(node, "Ready") == "True"]
        return [] if len(ready) >= nodes else [f"{len(ready)} of {nodes} nodes are Ready"]

    def _run(self, arguments: list[str], step: str, text: str | None = None, seconds: float = 300) -> str:
        return commands.run(
            ["kubectl", f"--kubeconfig={self.kubeconfig}", *arguments], step=step, text=text, seconds=seconds
        )


def _condition(item: dict[str, Any], name: str) -> str | None:
    conditions = item["status"].get("conditions", [])
    return next((condition["status"] for condition in conditions if condition["type"] == name), None)
