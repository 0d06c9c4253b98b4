import configparser
from pathlib import Path

import pytest

from image_build.pip_settings import BUNDLE_INSIDE, PipSettings, find_bundle, read_settings, translate

LISTING = """\
:env:.default-timeout='180'
:env:.find-links='/wheels'
global.cert='/certificates/bundle.pem'
global.default-timeout='15'
global.index-url='https://user:p%40ss=word@index.example/simple'
install.no-binary='a\\nb'
"""


def parse(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {section: dict(parser.items(section)) for section in parser.sections()}


def test_settings_of_this_machine_become_a_pip_conf_that_holds_inside_a_build() -> None:
    assert parse(translate(LISTING, has_bundle=True)) == {
        "global": {
            "default-timeout": "180",
            "index-url": "https://user:p%40ss=word@index.example/simple",
            "cert": BUNDLE_INSIDE,
        },
        "install": {"no-binary": "a\nb"},
    }


def test_without_a_bundle_pip_trusts_its_own() -> None:
    assert parse(translate("", has_bundle=False)) == {"global": {}}


def test_secrets_are_readable_by_this_user_alone(tmp_path: Path) -> None:
    secrets = PipSettings("[global]\n", Path("/bundle.pem")).write(tmp_path)
    assert secrets == {"pip.conf": tmp_path / "pip.conf", "ca-bundle": Path("/bundle.pem")}
    assert secrets["pip.conf"].stat().st_mode & 0o777 == 0o600
    assert PipSettings("", None).write(tmp_path).keys() == {"pip.conf"}


def test_the_first_variable_that_names_a_file_gives_the_bundle(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    assert find_bundle({"SSL_CERT_FILE": str(bundle), "CURL_CA_BUNDLE": "/other"}) == bundle
    assert find_bundle({"SSL_CERT_FILE": str(tmp_path / "absent")}) is None
    assert find_bundle({}) is None


def test_this_machines_pip_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    monkeypatch.setenv("PIP_CERT", str(bundle))
    monkeypatch.setenv("PIP_RETRIES", "7")
    settings = read_settings()
    assert settings.bundle == bundle
    assert parse(settings.configuration)["global"].items() >= {("retries", "7"), ("cert", BUNDLE_INSIDE)}
