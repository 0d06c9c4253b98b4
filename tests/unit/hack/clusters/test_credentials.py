import stat
from ipaddress import IPv4Address
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from clusters.credentials import Credentials


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def subject(path: Path, attribute: x509.ObjectIdentifier) -> list[object]:
    return [item.value for item in certificate(path).subject.get_attributes_for_oid(attribute)]


def made(folder: Path) -> Path:
    credentials = Credentials(folder / "credentials", "second", "https://10.213.0.2:6443")
    credentials.write_control_plane([IPv4Address("10.213.0.2")])
    credentials.write_node("n1", IPv4Address("10.213.0.2"))
    return credentials.folder


def test_the_api_server_is_trusted_at_its_address_and_names(tmp_path: Path) -> None:
    folder = made(tmp_path)
    names = certificate(folder / "apiserver.crt").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [IPv4Address("10.213.0.2")]
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)
    certificate(folder / "apiserver.crt").verify_directly_issued_by(certificate(folder / "ca.crt"))


def test_everybody_is_who_kubernetes_expects(tmp_path: Path) -> None:
    folder = made(tmp_path)
    assert subject(folder / "admin.crt", NameOID.ORGANIZATION_NAME) == ["system:masters"]
    assert subject(folder / "n1.crt", NameOID.ORGANIZATION_NAME) == ["system:nodes"]
    assert subject(folder / "n1.crt", NameOID.COMMON_NAME) == ["system:node:n1"]
    assert subject(folder / "scheduler.crt", NameOID.COMMON_NAME) == ["system:kube-scheduler"]


def test_nobody_else_reads_a_key(tmp_path: Path) -> None:
    folder = made(tmp_path)
    secret = [*folder.glob("*.key"), *folder.glob("*.kubeconfig")]
    assert len(secret) > 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_kubeconfig_needs_no_other_file(tmp_path: Path) -> None:
    config = yaml.safe_load((made(tmp_path) / "admin.kubeconfig").read_text())
    assert config["current-context"] == "council-second"
    (cluster,) = config["clusters"]
    assert cluster["cluster"]["server"] == "https://10.213.0.2:6443"
    (user,) = config["users"]
    assert set(user["user"]) == {"client-certificate-data", "client-key-data"}
