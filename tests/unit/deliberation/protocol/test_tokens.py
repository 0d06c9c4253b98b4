"""Tokens as a NATS server reads them: every claim, to the letter."""

import base64
import hashlib
import json
from typing import Any

import pytest

from deliberation.protocol.keys import KeyPair, Role
from deliberation.protocol.tokens import Grant, account_token, operator_token, user_credentials

OPERATOR = KeyPair(Role.OPERATOR, bytes(range(32)))
ACCOUNT = KeyPair(Role.ACCOUNT, bytes(range(1, 33)))
USER = KeyPair(Role.USER, bytes(range(2, 34)))
ANYTHING = {"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1}


def read(token: str) -> tuple[str, str]:
    """Return the header and the content of a token, as they were written."""
    header, content, _ = token.split(".")
    return _decode(header), _decode(content)


def write(issuer: KeyPair, subject: KeyPair, name: str, claims: dict[str, Any], **times: int) -> str:
    """Return the content of a token: its id is the digest of all the rest."""
    content = {"iat": 0, **times, "iss": issuer.public, "name": name, "nats": claims, "sub": subject.public}
    digest = hashlib.sha256(_to_json(content).encode()).digest()
    return _to_json({**content, "jti": base64.b32encode(digest).decode()[:52]})


def _to_json(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), sort_keys=True)


def _decode(part: str) -> str:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()


def test_the_owner_of_a_server_names_the_account_that_is_its_own() -> None:
    header, content = read(operator_token(OPERATOR, ACCOUNT.public))
    assert header == '{"alg":"ed25519-nkey","typ":"JWT"}'
    claims = {"type": "operator", "version": 2, "system_account": ACCOUNT.public}
    assert content == write(OPERATOR, OPERATOR, "council-operator", claims)


@pytest.mark.parametrize(("has_streams", "amount"), [(True, -1), (False, 0)])
def test_an_account_is_limited_in_nothing_but_whether_it_has_streams(*, has_streams: bool, amount: int) -> None:
    header, content = read(account_token(OPERATOR, ACCOUNT, "team-a", has_streams=has_streams))
    assert header == '{"alg":"ed25519-nkey","typ":"JWT"}'
    everything = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
    storage = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), amount)
    claims = {"type": "account", "version": 2, "limits": {**everything, "wildcards": True, **storage}}
    assert content == write(OPERATOR, ACCOUNT, "team-a", claims)


def test_a_user_without_a_grant_may_do_anything_for_ever() -> None:
    credentials = user_credentials(ACCOUNT, USER, "operator")
    assert read(credentials.token)[1] == write(ACCOUNT, USER, "operator", ANYTHING)
    assert credentials.key == USER


def test_a_user_with_a_grant_may_do_that_while_it_holds() -> None:
    grant = Grant(("a.>", "b"), ("c",), 7)
    credentials = user_credentials(ACCOUNT, USER, "runner", grant, issued_s=5, expires_s=9)
    rights = {"pub": {"allow": ["a.>", "b"]}, "sub": {"allow": ["c"]}, "resp": {"max": 1, "ttl": 7_000_000_000}}
    assert read(credentials.token)[1] == write(ACCOUNT, USER, "runner", {**ANYTHING, **rights}, iat=5, exp=9)


def test_no_part_of_a_token_is_padded() -> None:
    tokens = [account_token(OPERATOR, ACCOUNT, "a" * length, has_streams=True) for length in range(1, 5)]
    assert not any("=" in token for token in tokens)
    assert {len(token.rpartition(".")[2]) for token in tokens} == {86}


def test_a_credentials_file_is_as_the_tools_of_nats_write_it() -> None:
    credentials = user_credentials(ACCOUNT, USER, "runner")
    assert credentials.to_file().splitlines() == [
        "-----BEGIN NATS USER JWT-----",
        credentials.token,
        "------END NATS USER JWT------",
        "",
        "-----BEGIN USER NKEY SEED-----",
        USER.seed_text,
        "------END USER NKEY SEED------",
    ]
