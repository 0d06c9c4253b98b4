"""Tells the chart's NATS server whom to trust: the operator writes a part of the server's configuration."""

from council_operator.kube.port import Kubernetes
from deliberation.protocol.authority import Authority

FILE = "auth.conf"
FIELD_MANAGER = "council-operator-trust"


async def write_trust(authority: Authority, config_map: tuple[str, str], kubernetes: Kubernetes) -> None:
    """Write what the server must know of `authority` beside its configuration. There is no secret in it.

    The server's pod waits for this file. The ConfigMap, given as namespace and name, is the chart's: nothing else of it
    is touched.

    Raises:
        KubernetesError: the API server refused or was out of reach.
    """
    namespace, name = config_map
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": name},
        "data": {FILE: authority.server_settings},
    }
    await kubernetes.apply(body, FIELD_MANAGER)
