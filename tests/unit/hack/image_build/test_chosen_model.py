from pathlib import Path

import pytest

from clusters.errors import Refusal
from image_build.chosen_model import check_model_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir(mode=0o755)
    for name in ("config.json", "model.safetensors"):
        (folder / name).touch(mode=0o644)
    return folder


def test_a_folder_that_others_can_read_is_taken(folder: Path) -> None:
    assert check_model_folder(folder) == folder


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_config_or_weights_is_refused(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(Refusal, match=r"lacks config.json or \*.safetensors"):
        check_model_folder(folder)


def test_weights_for_their_owner_only_are_refused_with_the_command_that_helps(folder: Path) -> None:
    (folder / "model.safetensors").chmod(0o600)
    with pytest.raises(Refusal, match=r"model.safetensors' can't be read by other users.*\nchmod -R o\+rX"):
        check_model_folder(folder)
