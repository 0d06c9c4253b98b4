"""A model server asked directly, as its Council's seats ask it."""

import base64
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from demonstration.kubectl import Body, Kubectl
from e2e.scene import forwarded

MODEL_PORT = 8000
PATIENCE_SECONDS = 600

FRUGAL: Body = {"spec": {"containers": [{"name": "vllm", "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}}}]}}
"""Pod template of a second server: it asks for so little that it finds room on a small machine."""


@dataclass(frozen=True)
class Server:
    """One model server behind a port of loopback."""

    port: int
    key: str

    def get(self, path: str) -> Body:
        """Return what the server answers to a GET."""
        return self._ask(path, None)

    def post(self, path: str, body: Body) -> Body:
        """Return what the server answers to a POST."""
        return self._ask(path, body)

    def _ask(self, path: str, body: Body | None) -> Body:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:  # noqa: S310 - as above
            return dict(json.load(response))


@contextmanager
def asked_directly(namespace: Kubectl, deployment: str) -> Iterator[Server]:
    """Yield one pod of a model server's Deployment."""
    secret = namespace.find("secrets", "council-models")
    assert secret
    key = base64.b64decode(secret["data"]["api-key"]).decode()
    with forwarded(namespace, f"deployment/{deployment}", MODEL_PORT) as port:
        yield Server(port, key)
