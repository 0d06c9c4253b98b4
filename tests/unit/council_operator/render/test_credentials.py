import base64
from dataclasses import replace

from council_operator.render import credentials
from deliberation.protocol.authority import PERIOD_SECONDS, Authority, period_of
from fakes.bodies import NOW_MS, SETTINGS, council


def test_the_bus_secret_holds_the_runners_password() -> None:
    body = credentials.render_bus_secret(council(), SETTINGS)
    assert body["metadata"]["name"] == "council-bus"
    assert base64.b64decode(body["data"]["password"]).decode() == SETTINGS.bus_password


AUTHORITY = Authority(b"authority-key-in-clear-text-of-32")
SIGNED = replace(SETTINGS, bus_authority=AUTHORITY, bus_password="")


def test_the_bus_secret_holds_credentials_of_the_namespace_and_the_time() -> None:
    body = credentials.render_bus_secret(council(), SIGNED.at(NOW_MS))
    assert body["data"].keys() == {"creds"}
    held = base64.b64decode(body["data"]["creds"]).decode()
    assert held == AUTHORITY.runner("team-a", period_of(NOW_MS)).to_file()


def test_the_bus_secret_brings_the_authorities_of_the_bus_along() -> None:
    body = credentials.render_bus_secret(council(), replace(SETTINGS, bus_ca="certificates"))
    assert body["data"].keys() == {"password", "ca.crt"}
    assert base64.b64decode(body["data"]["ca.crt"]) == b"certificates"


def test_the_digest_of_a_runner_changes_when_its_credentials_are_to_be_renewed() -> None:
    today = credentials.runner_digest("team-a", SIGNED.at(NOW_MS))
    assert today == credentials.runner_digest("team-a", SIGNED.at(NOW_MS + 1))
    assert today != credentials.runner_digest("team-a", SIGNED.at(NOW_MS + PERIOD_SECONDS * 1000))
    assert SETTINGS.at(NOW_MS) == SETTINGS


def test_the_api_key_is_hmac_sha256_of_the_namespace() -> None:
    settings = replace(SETTINGS, derivation_key=b"key")
    assert credentials.derive_api_key("The quick brown fox jumps over the lazy dog", settings) == (
        "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    )


def test_each_namespace_has_its_own_api_key() -> None:
    assert credentials.derive_api_key("a", SETTINGS) != credentials.derive_api_key("b", SETTINGS)


def test_the_models_secret_holds_the_api_key() -> None:
    body = credentials.render_models_secret(council(), SETTINGS)
    assert body["metadata"]["name"] == "council-models"
    assert base64.b64decode(body["data"]["api-key"]).decode() == credentials.derive_api_key("team-a", SETTINGS)


def test_digests_change_with_the_credentials_and_are_useless_without_the_key() -> None:
    digest = credentials.runner_digest("team-a", SETTINGS)
    assert digest != credentials.runner_digest("team-a", replace(SETTINGS, bus_password=SETTINGS.bus_user))
    assert digest != credentials.runner_digest("team-a", replace(SETTINGS, derivation_key=b"another"))
    assert credentials.models_digest("team-a", SETTINGS) != credentials.models_digest("team-b", SETTINGS)
    assert digest not in credentials.derive_api_key("team-a", SETTINGS)


def test_settings_never_show_their_secrets() -> None:
    shown = repr(SETTINGS)
    assert SETTINGS.bus_password not in shown
    assert SETTINGS.derivation_key.decode() not in shown
