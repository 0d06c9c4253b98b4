"""Who may speak to whom in a cluster: writes the certificates and kubeconfig files that the components take."""

import base64
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

import yaml

from clusters import pki

USERS = {
    "admin": ("kubernetes-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", None),
    "scheduler": ("system:kube-scheduler", None),
    "proxy": ("system:kube-proxy", None),
}
SERVICE_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


class Credentials:
    """The certificates of a cluster, all of one authority, in one folder.

    Args:
        folder: made when missing; holds `*.crt`, `*.key` and `*.kubeconfig`.
        cluster: the name that contexts of kubeconfig files get.
        url: how the API server is reached.
    """

    def __init__(self, folder: Path, cluster: str, url: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.folder, self.cluster, self.url = folder, cluster, url
        self.authority = pki.Authority("council-operator-local-cluster")

    def write_control_plane(self, api_addresses: Sequence[IPv4Address]) -> None:
        """Write what the API server, its clients and the signers of tokens need."""
        pki.store(self.folder, "ca", self.authority.pair)
        pki.store(
            self.folder,
            "apiserver",
            self.authority.issue("kube-apiserver", hosts=SERVICE_NAMES, addresses=api_addresses),
        )
        front = pki.Authority("council-operator-front-proxy")
        (self.folder / "front-proxy-ca.crt").write_bytes(front.pair.certificate)
        pki.store(self.folder, "front-proxy", front.issue("front-proxy"))
        private, public = pki.signing_key()
        pki.write_private(self.folder / "service-accounts.key", private)
        (self.folder / "service-accounts.pub").write_bytes(public)
        for name, (user, group) in USERS.items():
            self.write_user(name, self.authority.issue(user, group=group))

    def write_node(self, node: str, address: IPv4Address) -> None:
        """Write what the kubelet of a node serves with and speaks with."""
        self.write_user(
            node, self.authority.issue(f"system:node:{node}", group="system:nodes", hosts=[node], addresses=[address])
        )

    def write_user(self, name: str, pair: pki.Pair) -> None:
        """Write a certificate, its key and a kubeconfig file that holds both."""
        pki.store(self.folder, name, pair)
        content = kubeconfig(self.cluster, self.url, self.authority.pair.certificate, pair)
        pki.write_private(self.folder / f"{name}.kubeconfig", content.encode())


def kubeconfig(cluster: str, url: str, authority: bytes, pair: pki.Pair) -> str:
    """Return a kubeconfig file with one context that needs no other file (pure)."""

    def encoded(content: bytes) -> str:
        return base64.b64encode(content).decode()

    context = f"council-{cluster}"
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": context, "cluster": {"server": url, "certificate-authority-data": encoded(authority)}}
            ],
            "users": [
                {
                    "name": context,
                    "user": {
                        "client-certificate-data": encoded(pair.certificate),
                        "client-key-data": encoded(pair.key),
                    },
                }
            ],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            "current-context": context,
        },
        sort_keys=False,
    )
