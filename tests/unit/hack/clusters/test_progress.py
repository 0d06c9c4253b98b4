import io

import pytest

from clusters.progress import Progress


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_only_finished_steps_are_shown() -> None:
    stream = io.StringIO()
    with Progress(stream).step("baking"):
        assert stream.getvalue() == ""
    assert stream.getvalue().endswith("s  baking (0.0 s)\n")


def test_on_a_terminal_the_step_at_hand_rewrites_itself() -> None:
    stream = FakeTerminal()
    with Progress(stream).step("baking"):
        assert stream.getvalue().endswith("baking ...")
    assert stream.getvalue().split("\r\x1b[K")[-1].endswith("baking (0.0 s)\n")


def test_a_failed_step_is_not_shown_as_finished() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="burnt"), Progress(stream).step("baking"):
        raise ValueError("burnt")
    assert stream.getvalue() == ""
