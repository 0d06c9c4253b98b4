"""The tokens by which a NATS server knows operators, accounts and users: JSON Web Tokens of version 2, signed.

A pure function of what they say: no clock and no chance is in them but what the caller gives. The claims are those of
https://github.com/nats-io/jwt, version 2.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from deliberation.protocol.keys import KeyPair

_UNLIMITED = -1
_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}
_VERSION = 2
NANOSECONDS = 1_000_000_000

_USER_LIMITS = {"subs": _UNLIMITED, "data": _UNLIMITED, "payload": _UNLIMITED}


@dataclass(frozen=True)
class Grant:
    """What a user may do. None: everything in its account.

    `responds_within_seconds`: how long after a request it may answer it once, wherever the answer goes.
    """

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    responds_within_seconds: int


@dataclass(frozen=True)
class Credentials:
    """A user's token and the key that proves it is the user's own. Neither appears in `repr`."""

    token: str = field(repr=False)
    key: KeyPair = field(repr=False)

    def to_file(self) -> str:
        """Return both in the form of a credentials file."""
        return (
            f"-----BEGIN NATS USER JWT-----\n{self.token}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{self.key.seed_text}\n------END USER NKEY SEED------\n"
        )


def operator_token(operator: KeyPair, system_account: str) -> str:
    """Return the token in which the owner of a server says which account is its own."""
    claims = {"type": "operator", "version": _VERSION, "system_account": system_account}
    return _sign(operator, operator.public, "council-operator", claims)


def account_token(operator: KeyPair, account: KeyPair, name: str, *, has_streams: bool) -> str:
    """Return the token that makes an account: a room of its own, in which nobody hears of any other."""
    amount = _UNLIMITED if has_streams else 0
    limits: dict[str, Any] = {
        **_USER_LIMITS,
        **dict.fromkeys(("imports", "exports", "conn", "leaf"), _UNLIMITED),
        "wildcards": True,
        **dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), amount),
    }
    return _sign(operator, account.public, name, {"type": "account", "version": _VERSION, "limits": limits})


def user_credentials(
    account: KeyPair, user: KeyPair, name: str, grant: Grant | None = None, *, issued_s: int = 0, expires_s: int = 0
) -> Credentials:
    """Return the credentials of a user of an account, valid until `expires_s` (seconds since the epoch; 0: ever)."""
    claims: dict[str, Any] = {"type": "user", "version": _VERSION, **_USER_LIMITS}
    if grant:
        claims |= {
            "pub": {"allow": list(grant.publish)},
            "sub": {"allow": list(grant.subscribe)},
            "resp": {"max": 1, "ttl": grant.responds_within_seconds * NANOSECONDS},
        }
    return Credentials(_sign(account, user.public, name, claims, issued_s, expires_s), user)


def _sign(
    issuer: KeyPair, subject: str, name: str, claims: dict[str, Any], issued_s: int = 0, expires_s: int = 0
) -> str:
    content = {"iat": issued_s, "iss": issuer.public, "name": name, "nats": claims, "sub": subject}
    if expires_s:
        content["exp"] = expires_s
    # The id must differ where the content does: a server keeps the account that it has for one of the same id.
    digest = hashlib.sha256(_to_json(content)).digest()
    content["jti"] = base64.b32encode(digest).decode().rstrip("=")
    signed = f"{_encode(_to_json(_HEADER))}.{_encode(_to_json(content))}"
    return f"{signed}.{_encode(issuer.sign(signed.encode()))}"


def _to_json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
