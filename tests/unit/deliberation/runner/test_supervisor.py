import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deliberation.runner.supervisor import LONG_LIFE_SECONDS, PAUSES_SECONDS, Supervisor


def counting(folder: Path, then: str) -> tuple[str, ...]:
    """Return a program that notes in a file that it was started, and then does something."""
    return (sys.executable, "-c", f"import os, signal, sys; open({str(folder / 'starts')!r}, 'a').write('x'); {then}")


def starts(folder: Path) -> int:
    return len((folder / "starts").read_text())


class FakeTime:
    """A clock on which every command lives as long as it is told."""

    def __init__(self, lives_seconds: float = 0.0) -> None:
        self.lives_seconds = lives_seconds
        self.now = 0.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        self.now += self.lives_seconds
        return self.now


def build(command: tuple[str, ...], clock: FakeTime) -> Supervisor:
    return Supervisor(command, monotonic=clock.monotonic, pause=clock.pauses.append)


def test_a_driver_that_ends_on_purpose_ends_the_job(tmp_path: Path) -> None:
    clock = FakeTime()
    assert build(counting(tmp_path, "pass"), clock).run() == 0
    assert (starts(tmp_path), clock.pauses) == (1, [])


def test_settings_that_no_repetition_mends_end_the_job(tmp_path: Path) -> None:
    assert build(counting(tmp_path, "sys.exit(2)"), FakeTime()).run() == 2
    assert starts(tmp_path) == 1


@pytest.mark.parametrize(("then", "status"), [("sys.exit(1)", 1), ("os.kill(os.getpid(), signal.SIGKILL)", -9)])
def test_a_driver_that_keeps_crashing_is_given_up(tmp_path: Path, then: str, status: int) -> None:
    clock = FakeTime()
    assert build(counting(tmp_path, then), clock).run() == status
    assert starts(tmp_path) == 1 + len(PAUSES_SECONDS)
    assert clock.pauses == list(PAUSES_SECONDS)


def test_a_driver_that_lived_long_is_started_again_without_end(tmp_path: Path) -> None:
    crash = f"sys.exit(0 if os.path.getsize({str(tmp_path / 'starts')!r}) >= 9 else 1)"
    clock = FakeTime(LONG_LIFE_SECONDS)
    assert build(counting(tmp_path, crash), clock).run() == 0
    assert starts(tmp_path) == 9
    assert clock.pauses == [PAUSES_SECONDS[0]] * 8


def test_asked_to_end_it_asks_the_driver_and_starts_no_other(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    supervisor = Supervisor(counting(tmp_path, f"open({str(fifo)!r}, 'w').write('up'); signal.pause()"))
    ended: list[int] = []
    worker = threading.Thread(target=lambda: ended.append(supervisor.run()))
    worker.start()
    assert fifo.read_text() == "up"
    supervisor.end()
    worker.join()
    assert (ended, starts(tmp_path)) == ([0], 1)


def test_the_driver_hears_of_the_death_of_its_supervisor(tmp_path: Path) -> None:
    """Nothing tells a child of a killed process; the end of its standard input does."""
    told = tmp_path / "told"
    driver = f"import os; os.write(1, b'up\\n'); os.read(0, 1); open({str(told)!r}, 'w').write('gone')"
    program = (
        "from deliberation.runner.supervisor import Supervisor; import sys;"
        f"Supervisor((sys.executable, '-c', {driver!r})).run()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGKILL)
        assert process.stdout.read() == b""  # the driver held the other end until it ended
    assert told.read_text() == "gone"
