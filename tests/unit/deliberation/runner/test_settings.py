from pathlib import Path

import pytest

from deliberation.bus.login import NoLogin, SecretLogin, Tls
from deliberation.runner.settings import SettingsError, read_settings

ENVIRONMENT = {
    "COUNCIL_NAMESPACE": "team",
    "COUNCIL_RUNNER": "runner-1",
    "COUNCIL_BUS_URL": "nats://bus:4222",
    "COUNCIL_BUS_USER": "runner",
    "COUNCIL_SECRETS_DIR": "/secrets",
    "COUNCIL_MAX_CONCURRENT": "3",
}


def test_the_environment_says_it_all() -> None:
    settings = read_settings(ENVIRONMENT)
    assert (settings.namespace, settings.runner, settings.max_concurrent) == ("team", "runner-1", 3)
    assert settings.bus_login == SecretLogin("runner", Path("/secrets/council-bus"))
    assert settings.bus_tls is None


def test_a_bus_without_users_needs_no_login() -> None:
    assert read_settings({**ENVIRONMENT, "COUNCIL_BUS_USER": ""}).bus_login == NoLogin()


def test_the_authorities_of_the_bus_lie_beside_its_credentials() -> None:
    environment = {**ENVIRONMENT, "COUNCIL_BUS_CA": "true", "COUNCIL_BUS_SERVER_NAME": "nats"}
    assert read_settings(environment).bus_tls == Tls(Path("/secrets/council-bus/ca.crt"), "nats")
    assert read_settings({**ENVIRONMENT, "COUNCIL_BUS_SERVER_NAME": "nats"}).bus_tls == Tls(None, "nats")


@pytest.mark.parametrize("name", ["COUNCIL_NAMESPACE", "COUNCIL_RUNNER", "COUNCIL_BUS_URL", "COUNCIL_SECRETS_DIR"])
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({**ENVIRONMENT, name: ""})


@pytest.mark.parametrize("text", ["0", "257", "many", "-1"])
def test_d11_a_number_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="COUNCIL_MAX_CONCURRENT"):
        read_settings({**ENVIRONMENT, "COUNCIL_MAX_CONCURRENT": text})


def test_room_for_seats_is_counted_only_where_it_is_told() -> None:
    assert read_settings(ENVIRONMENT).seats_with_room == 0
    assert read_settings({**ENVIRONMENT, "COUNCIL_SEATS_WITH_ROOM": "48"}).seats_with_room == 48
    with pytest.raises(SettingsError, match="COUNCIL_SEATS_WITH_ROOM"):
        read_settings({**ENVIRONMENT, "COUNCIL_SEATS_WITH_ROOM": "some"})


def test_a_runner_of_one_task_is_told_so() -> None:
    assert not read_settings(ENVIRONMENT).one_task
    assert read_settings({**ENVIRONMENT, "COUNCIL_ONE_TASK": "true"}).one_task
