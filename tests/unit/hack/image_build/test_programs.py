import sys

import pytest

from clusters.errors import StepFailed
from image_build.programs import run


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_a_build_that_succeeds_leaves_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    run(python("for number in range(1000): print('layer', number)"), step="building sample")
    output = capfd.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert "building sample" in output.err


def test_a_build_that_fails_tells_the_end_of_what_it_said() -> None:
    failing = python("for number in range(1000): print('layer', number)\nraise SystemExit('no space left')")
    with pytest.raises(StepFailed, match=r"building sample: .*status 1:(.|\n)*layer 999\n    no space left$"):
        run(failing, step="building sample")


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(StepFailed, match="'no-such-builder' can't be run"):
        run(["no-such-builder"], step="building sample")
