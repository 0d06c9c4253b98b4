"""Who may do what on a NATS of our own: one account for each namespace, and users in it, all out of one secret.

An account is a room of its own: a subject in one is another subject in the next, so nothing that a runner does in the
account of its namespace is seen, or felt, in that of another. Nothing here has to be stored: keys are derived, tokens
signed when they are wanted.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property

from deliberation.protocol import keys, permissions
from deliberation.protocol.keys import KeyPair, Role
from deliberation.protocol.tokens import Credentials, Grant, account_token, operator_token, user_credentials

LEAST_SECRET_CHARACTERS = 32

PERIOD_SECONDS = 86_400
"""How often a runner's credentials are renewed."""

VALID_SECONDS = 3 * PERIOD_SECONDS
"""How long they hold from the beginning of their period: an operator may be away for two days."""


def period_of(now_ms: int) -> int:
    """Return the period that a time (milliseconds since the epoch) is in: credentials change with it, and only then."""
    return now_ms // (PERIOD_SECONDS * 1000)


@dataclass(frozen=True)
class Authority:
    """Signs accounts and users. `secret`: at least 32 random characters, which never appear in `repr`."""

    secret: bytes = field(repr=False)

    @property
    def server_settings(self) -> str:
        """What a server must know to trust us, in the form of its configuration. There is no secret in it."""
        settings = {
            "operator": operator_token(self._operator, self._system.public),
            "system_account": self._system.public,
            "resolver_preload": {
                self._system.public: account_token(self._operator, self._system, "system", has_streams=False)
            },
        }
        return json.dumps(settings, indent=2)

    def account_token(self, namespace: str) -> str:
        """Return the token that makes the account of a namespace."""
        return account_token(self._operator, self._account(namespace), namespace, has_streams=True)

    def account_name(self, namespace: str) -> str:
        """Return what the server calls the account of a namespace."""
        return self._account(namespace).public

    def runner(self, namespace: str, period: int) -> Credentials:
        """Return the credentials of the runners of a namespace for one period."""
        issued_s = period * PERIOD_SECONDS
        grant = Grant(
            tuple(permissions.runner_publishes(namespace)),
            tuple(permissions.runner_subscribes(namespace)),
            permissions.RESPONSE_SECONDS,
        )
        name = permissions.RUNNER_USER
        user = keys.derive(self.secret, Role.USER, f"{name}/{namespace}/{period}")
        expires_s = issued_s + VALID_SECONDS
        return user_credentials(self._account(namespace), user, name, grant, issued_s=issued_s, expires_s=expires_s)

    def operator(self, namespace: str) -> Credentials:
        """Return credentials for everything in the account of a namespace. They never leave the operator's memory."""
        name = permissions.OPERATOR_USER
        return user_credentials(
            self._account(namespace), keys.derive(self.secret, Role.USER, f"{name}/{namespace}"), name
        )

    def system(self) -> Credentials:
        """Return credentials for the system account, in which accounts are made. They never leave the operator."""
        return user_credentials(self._system, keys.derive(self.secret, Role.USER, "system"), "system")

    @cached_property
    def _operator(self) -> KeyPair:
        return keys.derive(self.secret, Role.OPERATOR, "")

    @cached_property
    def _system(self) -> KeyPair:
        return keys.derive(self.secret, Role.ACCOUNT, "system")

    def _account(self, namespace: str) -> KeyPair:
        return keys.derive(self.secret, Role.ACCOUNT, f"namespace/{namespace}")
