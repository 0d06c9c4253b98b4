"""The rights that the chart gives an operator of one namespace, on a real API server."""

import json
from pathlib import Path

from chart.rendering import NAMESPACE, render
from contract.api_server import ApiServer, Body

ACCOUNT = "council-operator"
KINDS = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
TOKEN_SECONDS = 6 * 3600


def make_account(api: ApiServer) -> None:
    """Make the operator's account where the chart puts it; safe to repeat: tests share the API server."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": NAMESPACE}}
    _apply(ApiServer(api.kubeconfig, NAMESPACE), [namespace, account])


def grant(api: ApiServer, folder: Path) -> Path:
    """Grant them in the namespace of `api`, and return a kubeconfig that may do nothing else."""
    make_account(api)
    objects = render(f"watchNamespaces={{{api.namespace}}}", "gpu.readNodes=true").items()
    granted = [body for (kind, _), body in objects if kind in KINDS]
    anywhere = ApiServer(api.kubeconfig, NAMESPACE)
    for server in (anywhere, api):
        _apply(server, [body for body in granted if body["metadata"].get("namespace", NAMESPACE) == server.namespace])
    token = anywhere.kubectl("create", "token", ACCOUNT, f"--duration={TOKEN_SECONDS}s").strip()
    config = json.loads(anywhere.kubectl("config", "view", "--raw", "--output=json"))
    for user in config["users"]:
        user["user"] = {"token": token}
    kubeconfig = folder / "operator.kubeconfig"
    kubeconfig.write_text(json.dumps(config))
    return kubeconfig


def _apply(api: ApiServer, bodies: list[Body]) -> None:
    items = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
    api.kubectl("apply", "--server-side", "--filename=-", stdin=items)
