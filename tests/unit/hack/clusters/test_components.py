from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from clusters import components
from clusters.components import ControlPlaneFiles

FILES = ControlPlaneFiles(Path("/p"), Path("/c"), Path("/d"))
SERVICES = IPv4Network("10.215.0.0/20")


def test_an_api_server_on_an_address_of_its_own_is_reached_through_its_service() -> None:
    line = components.api_server(FILES, address=IPv4Address("10.213.0.2"), port=6443, services=SERVICES)
    assert line[0] == "/p/kube-apiserver"
    assert "--advertise-address=10.213.0.2" in line
    assert "--service-cluster-ip-range=10.215.0.0/20" in line
    assert "--tls-cert-file=/c/apiserver.crt" in line
    assert not any(argument.startswith(("--bind-address", "--endpoint-reconciler")) for argument in line)


def test_an_api_server_on_loopback_listens_nowhere_else() -> None:
    line = components.api_server(FILES, address=IPv4Address("127.0.0.1"), port=1234, services=SERVICES)
    assert {"--bind-address=127.0.0.1", "--secure-port=1234", "--endpoint-reconciler-type=none"} <= set(line)


def test_etcd_and_the_api_server_meet_at_a_socket_without_a_port() -> None:
    client = next(argument for argument in components.etcd(FILES) if argument.startswith("--listen-client-urls="))
    server = components.api_server(FILES, address=IPv4Address("127.0.0.1"), port=1, services=SERVICES)
    assert client == "--listen-client-urls=unix://client.sock"
    assert "--etcd-servers=unix://client.sock" in server


def test_clients_of_the_api_server_use_their_own_kubeconfig() -> None:
    assert "--kubeconfig=/c/controller-manager.kubeconfig" in components.controller_manager(FILES)
    assert "--kubeconfig=/c/scheduler.kubeconfig" in components.scheduler(FILES)
    kubelet = components.kubelet(FILES, config=Path("/k"), node="n2", address=IPv4Address("10.213.0.3"))
    assert {"--kubeconfig=/c/n2.kubeconfig", "--hostname-override=n2", "--node-ip=10.213.0.3"} <= set(kubelet)
    assert components.kube_proxy(FILES, config=Path("/x")) == ["/p/kube-proxy", "--config=/x"]
