from pathlib import Path

import pytest

from generated import main

FILES = {"a/b.txt": "new\n", "c.txt": "same\n"}


def test_files_are_written_with_their_folders(tmp_path: Path) -> None:
    assert main(FILES, [], tmp_path) == 0
    assert (tmp_path / "a" / "b.txt").read_text() == "new\n"
    assert main(FILES, ["--check"], tmp_path) == 0


def test_a_check_names_what_is_stale_or_missing_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.txt").write_text("old\n")
    assert main(FILES, ["--check"], tmp_path) == 1
    assert (tmp_path / "c.txt").read_text() == "old\n"
    said = capsys.readouterr().out
    assert "a/b.txt is out of date: run hack/generate" in said
    assert "c.txt is out of date" in said
