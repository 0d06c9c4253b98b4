from pathlib import Path

import pytest

from clusters.locks import locked


def test_a_second_command_is_told_that_the_first_is_at_work(tmp_path: Path) -> None:
    def busy() -> None:
        raise InterruptedError

    with locked(tmp_path / "x"):
        with pytest.raises(InterruptedError), locked(tmp_path / "x", busy=busy):
            pytest.fail("two commands hold the lock")
        with locked(tmp_path / "y", busy=busy):
            pass
    with locked(tmp_path / "x", busy=busy):
        pass


def test_readers_share(tmp_path: Path) -> None:
    with (
        locked(tmp_path, shared=True),
        locked(tmp_path, shared=True, busy=lambda: pytest.fail("readers wait for each other")),
    ):
        pass
