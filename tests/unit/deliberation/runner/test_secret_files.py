from pathlib import Path

import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol.chat import Access, ModelError
from deliberation.protocol.tasks import ModelAddress
from deliberation.runner.secret_files import read_access


def address(file: str | None) -> ModelAddress:
    return ModelAddress(name="small", base_url="http://127.0.0.1:1/v1", model_name="m", api_key_file=file)


def test_a_model_without_a_key_needs_no_secret(tmp_path: Path) -> None:
    assert read_access(tmp_path, address(None)) == Access()


def test_a_rotated_key_is_seen_at_the_next_call(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    for key in ("first", "second"):
        (tmp_path / "keys" / "api-key").write_text(key + "\n")
        assert read_access(tmp_path, address("keys/api-key")) == Access(key)


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_key_that_is_not_there_is_a_missing_secret(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "keys").mkdir()
    if content is not None:
        (tmp_path / "keys" / "api-key").write_bytes(content)
    with pytest.raises(ModelError, match="Secret keys has no readable key api-key") as caught:
        read_access(tmp_path, address("keys/api-key"))
    assert caught.value.reason is AbstentionReason.SECRET_MISSING


@pytest.mark.parametrize("place", ["../other/key", "keys/../../etc/passwd", "keys", "/key", "keys/", "./key"])
def test_no_place_leads_out_of_the_mounted_secrets(tmp_path: Path, place: str) -> None:
    (tmp_path / "key").write_text("not a mounted secret")
    with pytest.raises(ModelError):
        read_access(tmp_path / "secrets", address(place))


def certified(place: str) -> ModelAddress:
    return address(None).model_copy(update={"ca_bundle_file": place})


def test_a_changed_bundle_of_authorities_is_seen_at_the_next_call(tmp_path: Path) -> None:
    folder = tmp_path / "certificates" / "company"
    folder.mkdir(parents=True)
    for bundle in ("first", "second"):
        (folder / "ca.crt").write_text(bundle + "\n")
        assert read_access(tmp_path / "secrets", certified("company/ca.crt")) == Access(ca_bundle=bundle)


def test_a_bundle_that_is_not_there_is_told_by_its_config_map(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"ConfigMap company has no readable key ca\.crt") as caught:
        read_access(tmp_path / "secrets", certified("company/ca.crt"))
    assert caught.value.reason is AbstentionReason.CA_BUNDLE_MISSING


@pytest.mark.parametrize("place", ["../secrets", "company/../../key", "company"])
def test_no_place_leads_out_of_the_mounted_bundles(tmp_path: Path, place: str) -> None:
    (tmp_path / "key").write_text("not a bundle")
    with pytest.raises(ModelError):
        read_access(tmp_path / "secrets", certified(place))
