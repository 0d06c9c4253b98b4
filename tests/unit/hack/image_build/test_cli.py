from pathlib import Path

import pytest

from image_build import cli
from image_build.recipes import read_recipes
from image_build.store import Store


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "council-operator"


def test_names_are_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["names"]) == 0
    assert capsys.readouterr().out == "operator\nrunner\nnats\nvllm-cpu\nfake-vllm\n"


def test_the_path_of_a_missing_image_is_refused_with_the_command_that_builds_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["path", "runner"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "hack/images build runner" in captured.err


def test_what_is_there_is_left_as_it_is(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = Store(cache).archive(read_recipes()["nats"])
    archive.parent.mkdir(parents=True)
    archive.touch()
    assert cli.main(["build", "nats"]) == 0
    assert cli.main(["path", "nats"]) == 0
    assert capsys.readouterr().out == f"nats: cached\n{archive}\n"


def test_an_unknown_image_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["build", "gpu"])
    assert "invalid choice: 'gpu'" in capsys.readouterr().err


def test_a_model_of_ones_own_is_checked_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COUNCIL_DEMO_MODEL", str(tmp_path / "absent"))
    assert cli.main(["model"]) == 2
    assert "which lacks config.json" in capsys.readouterr().err
