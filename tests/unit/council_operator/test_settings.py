from pathlib import Path

import pytest

from council_operator.plan.settings import GpuDivision, Resources
from council_operator.settings import SettingsError, read_settings
from deliberation.bus.login import Tls
from deliberation.protocol.authority import Authority


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "password").write_text("s3cret\n")
    (tmp_path / "key").write_text("k3y\n")
    return {
        "COUNCIL_BUS_URL": "nats://bus:4222",
        "COUNCIL_IMAGE_OPERATOR": "operator:1",
        "COUNCIL_IMAGE_RUNNER": "runner:1",
        "COUNCIL_IMAGE_VLLM": "vllm:1",
        "COUNCIL_IMAGE_VLLM_CPU": "vllm-cpu:1",
        "COUNCIL_RUNNER_BUS_PASSWORD_FILE": str(tmp_path / "password"),
        "COUNCIL_DERIVATION_KEY_FILE": str(tmp_path / "key"),
    }


def test_everything_the_chart_sets_is_read(environment: dict[str, str]) -> None:
    settings = read_settings(environment | {"COUNCIL_WATCH_NAMESPACES": "a,b", "COUNCIL_RUNNER_BUS_URL": "nats://far"})
    assert settings.watch_namespaces == ("a", "b")
    assert settings.http_port == 8080
    assert settings.reads_nodes is False
    assert settings.render.gpu_overhead_mib == 1536
    assert settings.render.images.runner == "runner:1"
    assert settings.render.bus_url == "nats://far"
    assert settings.render.bus_password == "s3cret"
    assert settings.render.derivation_key == b"k3y"


def test_a_key_makes_the_operator_the_authority_of_its_bus(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "authority").write_text("k" * 32)
    del environment["COUNCIL_RUNNER_BUS_PASSWORD_FILE"]
    changes = {
        "COUNCIL_BUS_AUTHORITY_KEY_FILE": str(tmp_path / "authority"),
        "COUNCIL_BUS_CONFIG_MAP": "council-system/nats",
    }
    settings = read_settings(environment | changes)
    assert settings.render.bus_authority == Authority(b"k" * 32)
    assert settings.bus_config_map == ("council-system", "nats")
    assert "kkk" not in repr(settings)


def test_a_key_that_can_be_guessed_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "authority").write_text("k" * 31)
    with pytest.raises(SettingsError, match="the key has 31 characters: it must have 32") as refusal:
        read_settings(environment | {"COUNCIL_BUS_AUTHORITY_KEY_FILE": str(tmp_path / "authority")})
    assert "kkk" not in str(refusal.value)


def test_the_bus_may_be_encrypted_and_replicated(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("certificates\n")
    changes = {
        "COUNCIL_BUS_CA_FILE": str(tmp_path / "ca"),
        "COUNCIL_BUS_SERVER_NAME": "nats",
        "COUNCIL_BUS_REPLICAS": "3",
    }
    settings = read_settings(environment | changes)
    assert settings.bus_tls == Tls(tmp_path / "ca", "nats")
    assert (settings.render.bus_ca, settings.render.bus_server_name) == ("certificates", "nats")
    assert settings.bus_replicas == 3
    with pytest.raises(SettingsError, match="COUNCIL_BUS_REPLICAS is 'x': it must be a whole number of servers"):
        read_settings(environment | {"COUNCIL_BUS_REPLICAS": "x"})


def test_runners_use_the_operators_bus_url_by_default(environment: dict[str, str]) -> None:
    assert read_settings(environment).render.bus_url == "nats://bus:4222"


@pytest.mark.parametrize("name", ["COUNCIL_BUS_URL", "COUNCIL_IMAGE_RUNNER", "COUNCIL_DERIVATION_KEY_FILE"])
def test_a_missing_setting_is_named(environment: dict[str, str], name: str) -> None:
    del environment[name]
    with pytest.raises(SettingsError, match=name):
        read_settings(environment)


@pytest.mark.parametrize("port", ["http", "-1", "65536", ""])
def test_a_port_that_is_none_is_refused(environment: dict[str, str], port: str) -> None:
    with pytest.raises(SettingsError, match="COUNCIL_METRICS_PORT"):
        read_settings(environment | {"COUNCIL_METRICS_PORT": port})


def test_an_unmounted_secret_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"COUNCIL_DERIVATION_KEY_FILE.*is the Secret mounted"):
        read_settings(environment | {"COUNCIL_DERIVATION_KEY_FILE": "/nowhere/key"})


def test_secrets_do_not_show_when_settings_are_printed(environment: dict[str, str]) -> None:
    printed = repr(read_settings(environment))
    assert "s3cret" not in printed
    assert "k3y" not in printed


def test_pods_of_councils_follow_the_images_settings(environment: dict[str, str]) -> None:
    assert read_settings(environment).render.images.pull_policy == "IfNotPresent"
    assert read_settings(environment).render.images.pull_secrets == ()
    images = read_settings(
        environment
        | {
            "COUNCIL_IMAGE_PULL_POLICY": "Never",
            "COUNCIL_IMAGE_PULL_SECRETS": "mine,yours",
            "COUNCIL_IMAGE_REVISION": "b7",
        }
    ).render.images
    assert images.pull_policy == "Never"
    assert images.pull_secrets == ("mine", "yours")
    assert images.revision == "b7"


def test_the_runners_resources_can_be_stated(environment: dict[str, str]) -> None:
    stated = '{"requests":{"cpu":1,"memory":"2Gi"},"limits":{"cpu":"4","memory":"8Gi"}}'
    runner = read_settings(environment | {"COUNCIL_RUNNER_RESOURCES": stated}).render.runner
    assert runner == Resources("1", "2Gi", "4", "8Gi")


@pytest.mark.parametrize("stated", ["2Gi", "[]", '{"requests":{"cpu":"1"},"limits":{"cpu":"4","memory":"8Gi"}}'])
def test_resources_that_are_none_are_refused(environment: dict[str, str], stated: str) -> None:
    with pytest.raises(SettingsError, match="COUNCIL_RUNNER_RESOURCES"):
        read_settings(environment | {"COUNCIL_RUNNER_RESOURCES": stated})


def test_the_overhead_on_gpus_is_whole_mebibytes(environment: dict[str, str]) -> None:
    assert read_settings(environment | {"COUNCIL_GPU_OVERHEAD_MIB": "2048"}).render.gpu_overhead_mib == 2048
    with pytest.raises(SettingsError, match="COUNCIL_GPU_OVERHEAD_MIB is '2Gi'"):
        read_settings(environment | {"COUNCIL_GPU_OVERHEAD_MIB": "2Gi"})


SHARING = '{"configMap": {"name": "c", "namespace": "n"}, "nodeSelector": {"b": "2", "a": "1"}, "slicesPerGPU": 4}'


def test_gpus_are_divided_as_the_chart_says_and_not_without_it(environment: dict[str, str]) -> None:
    assert read_settings(environment).render.gpu_division is None
    found = read_settings(environment | {"COUNCIL_GPU_SHARING": SHARING}).render.gpu_division
    assert found == GpuDivision((("a", "1"), ("b", "2")), slices=4, config_map="c", namespace="n")


@pytest.mark.parametrize("text", ["{", "[]", "{}", SHARING.replace("4", '"many"')])
def test_a_division_that_is_none_is_refused(environment: dict[str, str], text: str) -> None:
    with pytest.raises(SettingsError, match="COUNCIL_GPU_SHARING must be JSON"):
        read_settings(environment | {"COUNCIL_GPU_SHARING": text})
