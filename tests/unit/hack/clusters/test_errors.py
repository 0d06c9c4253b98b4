from pathlib import Path

from clusters.errors import Refusal, StepFailed, tail


def test_a_refusal_says_why_and_what_to_do() -> None:
    assert str(Refusal("No.", "Do that.")) == "No.\nDo that."


def test_only_the_end_of_a_log_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(f"line {number}" for number in range(100)))
    shown = str(StepFailed("baking", "no flour", log))
    assert shown.startswith(f"baking: no flour\nThe end of {log}:\n    line 85\n")
    assert shown.endswith("    line 99")


def test_a_log_that_is_missing_or_empty_says_so(tmp_path: Path) -> None:
    assert "No such file" in tail(tmp_path / "log")
    (tmp_path / "log").touch()
    assert tail(tmp_path / "log") == "    (empty)"
