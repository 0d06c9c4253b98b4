from pathlib import Path

import pytest

from deliberation.local.faults import BadInputError
from deliberation.local.options import Endpoint, Options, read_api_keys, read_ca_bundles, read_endpoints


def test_endpoints_are_read_with_and_without_a_model() -> None:
    assert read_endpoints(("a=http://127.0.0.1:8000/v1,org/model", "b=https://llm.example.com/v1")) == {
        "a": Endpoint("http://127.0.0.1:8000/v1", "org/model"),
        "b": Endpoint("https://llm.example.com/v1"),
    }


@pytest.mark.parametrize(
    "text", ["", "a", "=http://x/v1", "a=x/v1", "a=ftp://x", "a=http://", "a=http://u:p@x/v1", "a=http://x?k=1"]
)
def test_an_endpoint_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match=r"give NAME=URL\[,MODEL\]"):
        read_endpoints((text,))


def test_an_endpoint_given_twice_is_refused() -> None:
    with pytest.raises(BadInputError, match="more than once"):
        read_endpoints(("a=http://x", "a=http://y"))


def test_keys_come_from_environment_and_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    texts = ("a=env:KEY", f"b=file:{tmp_path / 'key'}")
    assert read_api_keys(texts, {"KEY": "from-env"}) == {"a": "from-env", "b": "from-file"}


@pytest.mark.parametrize("text", ["a", "a=sk-1234", "a=env:", "=env:KEY", "a=text:sk-1234"])
def test_a_key_on_the_command_line_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(BadInputError) as refused:
        read_api_keys((text,), {"KEY": "x"})
    assert "sk-1234" not in str(refused.value)


@pytest.mark.parametrize("text", ["a=env:NONE", "a=env:BLANK", "a=file:/nowhere/at/all"])
def test_a_place_without_a_key_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="there is no key"):
        read_api_keys((text,), {"BLANK": " "})


def test_keys_do_not_show() -> None:
    assert "sk-1234" not in repr(Options(api_keys={"a": "sk-1234"}))


def test_authorities_come_from_files_and_must_be_certificates(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "key").write_text("-----BEGIN PRIVATE KEY-----\n")
    assert read_ca_bundles((f"a={tmp_path / 'ca'}",)) == {"a": "-----BEGIN CERTIFICATE-----\n"}
    for text in (f"a={tmp_path / 'key'}", "a=/nowhere/at/all", "a", "=x"):
        with pytest.raises(BadInputError, match=r"no certificate in PEM|give NAME=PATH"):
            read_ca_bundles((text,))
