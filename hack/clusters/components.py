"""Command lines of the components of Kubernetes (pure)."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path


@dataclass(frozen=True)
class ControlPlaneFiles:
    """Where the components of one control plane find and keep their files.

    Attributes:
        programs: folder of the programs.
        credentials: folder that `Credentials` has filled.
        data: folder in which etcd and the API server run and keep their files.
    """

    programs: Path
    credentials: Path
    data: Path

    def kubeconfig(self, user: str) -> Path:
        """Return the kubeconfig file of a component or of the administrator."""
        return self.credentials / f"{user}.kubeconfig"

    @property
    def etcd_url(self) -> str:
        """The socket at which etcd answers, seen from `data`: it takes no port, and no path is too long for it."""
        return "unix://client.sock"


def etcd(files: ControlPlaneFiles) -> list[str]:
    """Return the command line of etcd; it does not wait for the disk: what a test cluster holds may be lost."""
    peers = "unix://peers.sock"
    return [
        f"{files.programs}/etcd",
        f"--data-dir={files.data}/etcd",
        "--name=only",
        f"--listen-client-urls={files.etcd_url}",
        f"--advertise-client-urls={files.etcd_url}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=only={peers}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(files: ControlPlaneFiles, *, address: IPv4Address, port: int, services: IPv4Network) -> list[str]:
    """Return the command line of the API server.

    Args:
        files: of the control plane.
        address: where it is reached; a loopback address keeps it from telling Services where it is.
        port: where it listens.
        services: addresses of Services.
    """
    own = files.credentials
    loopback = ["--bind-address=127.0.0.1", "--endpoint-reconciler-type=none"] if address.is_loopback else []
    return [
        f"{files.programs}/kube-apiserver",
        f"--etcd-servers={files.etcd_url}",
        f"--advertise-address={address}",
        f"--secure-port={port}",
        *loopback,
        f"--cert-dir={files.data}",
        f"--client-ca-file={own}/ca.crt",
        f"--tls-cert-file={own}/apiserver.crt",
        f"--tls-private-key-file={own}/apiserver.key",
        f"--service-account-key-file={own}/service-accounts.pub",
        f"--service-account-signing-key-file={own}/service-accounts.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={services}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
        "--allow-privileged=true",
        f"--kubelet-client-certificate={own}/admin.crt",
        f"--kubelet-client-key={own}/admin.key",
        f"--kubelet-certificate-authority={own}/ca.crt",
        # Node names are known to no DNS: exec and logs go by address.
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={own}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={own}/front-proxy.crt",
        f"--proxy-client-key-file={own}/front-proxy.key",
        "--enable-aggregator-routing",
    ]


def controller_manager(files: ControlPlaneFiles) -> list[str]:
    """Return the command line of the controller manager; it exits when the API server is not ready yet."""
    own = files.credentials
    return [
        f"{files.programs}/kube-controller-manager",
        *_one_client(files.kubeconfig("controller-manager")),
        "--secure-port=0",
        f"--service-account-private-key-file={own}/service-accounts.key",
        f"--root-ca-file={own}/ca.crt",
        f"--cluster-signing-cert-file={own}/ca.crt",
        f"--cluster-signing-key-file={own}/ca.key",
        "--use-service-account-credentials",
        # With the default of 20 requests a second its controllers begin five seconds late.
        "--kube-api-qps=300",
        "--kube-api-burst=600",
    ]


def scheduler(files: ControlPlaneFiles) -> list[str]:
    """Return the command line of the scheduler."""
    return [f"{files.programs}/kube-scheduler", *_one_client(files.kubeconfig("scheduler")), "--secure-port=0"]


def kubelet(files: ControlPlaneFiles, *, config: Path, node: str, address: IPv4Address) -> list[str]:
    """Return the command line of the kubelet of a node that is reached at this address."""
    return [
        f"{files.programs}/kubelet",
        f"--config={config}",
        f"--kubeconfig={files.kubeconfig(node)}",
        f"--hostname-override={node}",
        f"--node-ip={address}",
    ]


def kube_proxy(files: ControlPlaneFiles, *, config: Path) -> list[str]:
    """Return the command line of kube-proxy."""
    return [f"{files.programs}/kube-proxy", f"--config={config}"]


def _one_client(kubeconfig: Path) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
    ]
