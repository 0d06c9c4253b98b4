"""Files of a mounted Secret, as they are and as they should not be."""

import ssl
from pathlib import Path

import pytest

from deliberation.bus.login import NoLogin, PasswordLogin, SecretLogin, Tls, read_credentials
from deliberation.protocol.authority import Authority

CREDENTIALS = Authority(b"a key of thirty-two characters..").runner("team", 1)


def test_a_secret_with_credentials_is_logged_in_with_them(tmp_path: Path) -> None:
    (tmp_path / "creds").write_text(CREDENTIALS.to_file())
    (tmp_path / "password").write_text("of the time before")
    options = SecretLogin("runner", tmp_path).build_options()
    assert options["user_jwt_cb"]() == CREDENTIALS.token.encode()
    assert options["inbox_prefix"] == "_INBOX_runner"
    assert "password" not in options


def test_a_secret_with_a_password_is_logged_in_with_that(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    expected = {"user": "runner", "password": "s3cret", "inbox_prefix": "_INBOX_runner"}
    assert SecretLogin("runner", tmp_path).build_options() == expected
    assert PasswordLogin("runner", tmp_path / "password").build_options() == expected


def test_a_server_without_users_is_told_nothing() -> None:
    assert NoLogin().build_options() == {}


def test_a_secret_that_is_not_there_yet_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="password"):
        SecretLogin("runner", tmp_path).build_options()


def test_credentials_of_other_tools_are_read(tmp_path: Path) -> None:
    text = (
        CREDENTIALS.to_file()
        .replace("\n\n", "\n\n*** IMPORTANT ***\nNKEY Seed printed below.\n\n")
        .replace("\n", "\r\n")
    )
    (tmp_path / "creds").write_bytes(text.encode())
    assert read_credentials(tmp_path / "creds") == CREDENTIALS


@pytest.mark.parametrize(
    "text", ["", "password", CREDENTIALS.to_file()[:200], CREDENTIALS.to_file().replace("\nSU", "\nSX")]
)
def test_a_file_that_holds_none_is_named_and_not_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "creds"
    file.write_text(text)
    with pytest.raises(ValueError, match="holds no credentials of NATS") as fault:
        read_credentials(file)
    assert str(file) in str(fault.value)
    assert "SU" not in str(fault.value)


def test_authorities_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("no certificate")
    with pytest.raises(OSError, match=r"ca\.crt holds no certificates"):
        Tls(tmp_path / "ca.crt").build_options()
    with pytest.raises(FileNotFoundError):
        Tls(tmp_path / "absent").build_options()


def test_servers_must_prove_their_name() -> None:
    options = Tls(None, "nats").build_options()
    assert options["tls_hostname"] == "nats"
    assert options["tls"].verify_mode is ssl.CERT_REQUIRED
    assert options["tls"].check_hostname
