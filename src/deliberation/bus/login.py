"""How a client shows who it is, and knows whom it talks to. Files are read at each connect, so that they may change."""

import base64
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from deliberation.protocol.keys import KeyPair, parse_seed
from deliberation.protocol.permissions import inbox_prefix
from deliberation.protocol.tokens import Credentials

Options = dict[str, Any]

CREDENTIALS_KEY = "creds"
PASSWORD_KEY = "password"  # noqa: S105 - the name of a file, not its content
CA_KEY = "ca.crt"

_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----\s*([\w.-]+)\s*-{5,6}END \1-{5,6}")


class Login(Protocol):
    """What a client says of itself when it connects."""

    def build_options(self) -> Options:
        """Return the options of the client for one connect.

        Raises:
            OSError, ValueError: a file cannot be read, or is none of its kind; the message names it.
        """
        ...


@dataclass(frozen=True)
class NoLogin:
    """A server without users."""

    def build_options(self) -> Options:
        """Return no options."""
        return {}


@dataclass(frozen=True)
class PasswordLogin:
    """A user with a password, which is in a file."""

    user: str
    file: Path

    def build_options(self) -> Options:
        """Return user, password, and the inboxes that this user may listen to."""
        password = self.file.read_text(encoding="utf-8").strip()
        return {"user": self.user, "password": password, "inbox_prefix": inbox_prefix(self.user)}


@dataclass(frozen=True)
class CredentialsLogin:
    """A user with credentials that are in memory."""

    user: str
    credentials: Credentials

    def build_options(self) -> Options:
        """Return the user's token, what proves that it is the user's own, and its inboxes."""
        token, key = self.credentials.token, self.credentials.key
        return {
            "user_jwt_cb": token.encode,
            "signature_cb": lambda nonce: base64.b64encode(key.sign(nonce.encode())),
            "inbox_prefix": inbox_prefix(self.user),
        }


@dataclass(frozen=True)
class SecretLogin:
    """A user whose Secret is mounted as a folder: with a credentials file in it or, on a NATS with passwords, one."""

    user: str
    folder: Path

    def build_options(self) -> Options:
        """Return what the Secret holds now."""
        file = self.folder / CREDENTIALS_KEY
        if not file.exists():
            return PasswordLogin(self.user, self.folder / PASSWORD_KEY).build_options()
        return CredentialsLogin(self.user, read_credentials(file)).build_options()


@dataclass(frozen=True)
class Tls:
    """An encrypted connection. None: the system's authorities; the name in the address.

    Attributes:
        ca_file: certificates of the authorities that may have signed the server's.
        server_name: the name that the server's certificate must be for.
    """

    ca_file: Path | None = None
    server_name: str | None = None

    def build_options(self) -> Options:
        """Return the options of the client for one connect.

        Raises:
            OSError: the file cannot be read, or holds no certificate; the message names it.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except ssl.SSLError as error:
            raise OSError(f"{self.ca_file} holds no certificates: {error.reason}") from None
        return {"tls": context, "tls_hostname": self.server_name}


def read_credentials(file: Path) -> Credentials:
    """Return the credentials that a file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds none.
    """
    blocks = dict(_BLOCK.findall(file.read_text(encoding="utf-8")))
    try:
        key: KeyPair = parse_seed(blocks["USER NKEY SEED"])
        return Credentials(blocks["NATS USER JWT"], key)
    except (KeyError, ValueError):
        raise ValueError(f"{file} holds no credentials of NATS") from None
