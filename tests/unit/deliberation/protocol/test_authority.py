"""Tokens say what they should, and nobody but the one who signed could have said it."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from deliberation.protocol import permissions
from deliberation.protocol.authority import PERIOD_SECONDS, VALID_SECONDS, Authority, period_of

AUTHORITY = Authority(b"a key of thirty-two characters..")


def decode(token: str) -> dict[str, Any]:
    """Return the claims of a token whose signature is that of its issuer."""
    signed, _, signature = token.rpartition(".")
    header, claims = (json.loads(_base64(part)) for part in signed.split("."))
    assert header == {"typ": "JWT", "alg": "ed25519-nkey"}
    issuer = base64.b32decode(claims["iss"])[1:33]
    Ed25519PublicKey.from_public_bytes(issuer).verify(_base64(signature), signed.encode())
    found: dict[str, Any] = claims
    return found


def _base64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_runner_is_confined_to_its_namespace_and_its_time() -> None:
    claims = decode(AUTHORITY.runner("team-a", 100).token)
    assert claims["iss"] == AUTHORITY.account_name("team-a")
    assert claims["sub"] == AUTHORITY.runner("team-a", 100).key.public
    assert claims["iat"] == 100 * PERIOD_SECONDS
    assert claims["exp"] == 100 * PERIOD_SECONDS + VALID_SECONDS
    assert claims["nats"]["pub"] == {"allow": permissions.runner_publishes("team-a")}
    assert claims["nats"]["sub"] == {"allow": permissions.runner_subscribes("team-a")}
    assert claims["nats"]["resp"] == {"max": 1, "ttl": 120_000_000_000}


def test_the_next_credentials_come_while_the_last_ones_hold() -> None:
    before = decode(AUTHORITY.runner("team-a", 100).token)
    after = decode(AUTHORITY.runner("team-a", 101).token)
    assert before["iat"] < after["iat"] < before["exp"]
    assert before["sub"] != after["sub"]


@pytest.mark.parametrize(("now_ms", "period"), [(0, 0), (86_399_999, 0), (86_400_000, 1), (1_790_000_000_000, 20717)])
def test_credentials_change_once_a_day(now_ms: int, period: int) -> None:
    assert period_of(now_ms) == period


def test_each_namespace_has_an_account_of_its_own() -> None:
    a, b = (decode(AUTHORITY.account_token(namespace)) for namespace in ("team-a", "team-b"))
    assert a["sub"] != b["sub"]
    assert a["iss"] == b["iss"]
    assert a["name"] == "team-a"
    assert a["nats"]["limits"]["streams"] == -1
    assert "imports" not in a["nats"]
    assert "exports" not in a["nats"]
    assert Authority(b"another key of the same length..").account_name("team-a") != AUTHORITY.account_name("team-a")


def test_what_was_made_under_a_secret_is_found_again_after_an_upgrade() -> None:
    """An account's streams are lost to whoever calls it by another name."""
    settings = json.loads(AUTHORITY.server_settings)
    operator = decode(settings["operator"])
    assert operator["sub"] == "ODGVRZ67PULFIVHQALZCPX6WIA74JDL3SBU4KZO6SQVUYFKQPFUAZK5Z"
    assert settings["system_account"] == "AC64OKDYLBEM2DAC55FAGDKWRUQZFO5GX7Y33RBMXV5PJXTXO44ABWEG"
    assert AUTHORITY.account_name("team-a") == "AARWKVVUWEZFV6BXNMPUKOHHPI5VSCF7PC44MSDV5DKUSCCVI52NJVPL"
    assert AUTHORITY.runner("team-a", 100).key.public == "UA4GD7G33XCPCEHC3LZ6B2TUUSJJ3OWTSS2PCBKO63YTA2VHV7EWGLGG"
    assert AUTHORITY.operator("team-a").key.public == "UASR5HGMA6DWV2OS3KCLNABGY2MSEXDVZUASCG7PN6WRQPLPV6P3L2RU"
    assert AUTHORITY.system().key.public == "UA4HZ7QPBOTQ6FN5ZPCM5MRWIFLLUG6BBSKIQ2PDT7FD6KIMVFOGFVIR"


def test_a_server_log_tells_who_is_who() -> None:
    settings = json.loads(AUTHORITY.server_settings)
    system_account = settings["resolver_preload"][settings["system_account"]]
    users = [AUTHORITY.runner("team-a", 1), AUTHORITY.operator("team-a"), AUTHORITY.system()]
    names = [decode(token)["name"] for token in (system_account, *(user.token for user in users))]
    assert names == ["system", "runner", "operator", "system"]


def test_the_settings_are_written_to_be_read() -> None:
    assert AUTHORITY.server_settings.startswith('{\n  "operator": "')
    assert json.loads(AUTHORITY.server_settings).keys() == {"operator", "system_account", "resolver_preload"}


def test_the_operator_may_do_anything_in_an_account_and_nothing_lasts_but_that() -> None:
    claims = decode(AUTHORITY.operator("team-a").token)
    assert claims["iss"] == AUTHORITY.account_name("team-a")
    assert claims["nats"].keys() == {"type", "version", "subs", "data", "payload"}
    assert "exp" not in claims


def test_the_server_learns_whom_to_trust_and_no_secret() -> None:
    settings = json.loads(AUTHORITY.server_settings)
    operator = decode(settings["operator"])
    assert operator["iss"] == operator["sub"]
    assert operator["nats"]["system_account"] == settings["system_account"]
    system = decode(settings["resolver_preload"][settings["system_account"]])
    assert system["iss"] == operator["sub"]
    assert system["nats"]["limits"]["streams"] == 0
    assert decode(AUTHORITY.system().token)["iss"] == settings["system_account"]
    assert decode(AUTHORITY.account_token("team-a"))["iss"] == operator["sub"]


def test_tokens_are_told_apart_by_their_ids() -> None:
    ids = [decode(AUTHORITY.account_token(namespace))["jti"] for namespace in ("a", "b", "a")]
    assert ids[0] == ids[2] != ids[1]


def test_no_secret_is_shown() -> None:
    credentials = AUTHORITY.runner("team-a", 1)
    assert repr(AUTHORITY) == "Authority()"
    assert repr(credentials) == "Credentials()"
    assert credentials.key.seed_text in credentials.to_file()
