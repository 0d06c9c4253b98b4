import signal
import subprocess
import threading
from pathlib import Path

import pytest

from clusters import commands
from clusters.errors import StepFailed


def test_output_and_input() -> None:
    assert commands.run(["cat"], step="test", text="hello") == "hello"
    assert commands.run(["sh", "-c", "echo $X"], step="test", environment={"X": "y"}) == "y\n"


def test_a_failure_names_the_step_and_shows_what_the_program_said() -> None:
    with pytest.raises(StepFailed, match=r"^baking: 'sh' ended with status 3: no flour$"):
        commands.run(["sh", "-c", "echo no flour >&2; exit 3"], step="baking")


def test_a_missing_program_is_named() -> None:
    with pytest.raises(StepFailed, match="'no-such-program' can't be run: No such file"):
        commands.run(["no-such-program"], step="test")


def test_a_program_that_takes_too_long_is_ended_with_all_its_children(tmp_path: Path) -> None:
    record = tmp_path / "pid"
    with pytest.raises(StepFailed, match="did not end within"):
        commands.run(["sh", "-c", f"sleep 1000 & echo $! > {record}; wait"], step="test", seconds=0.5)
    child = int(record.read_text())
    while Path(f"/proc/{child}").exists():
        pass  # the kernel takes a moment; the test's own time limit ends a wait in vain


def test_waiting_in_vain_shows_the_end_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("first\nlast words\n")
    with pytest.raises(StepFailed, match=r"waiting for Godot: not there after 0 s\n(.|\n)*last words"):
        commands.wait_until(lambda: False, step="waiting for Godot", seconds=0, log=log)
    commands.wait_until(lambda: True, step="test", seconds=0)


def test_stopping_ends_programs_and_waits_of_other_threads() -> None:
    ended: list[StepFailed] = []
    begun = threading.Barrier(3)

    def wait() -> None:
        begun.wait()
        try:
            commands.wait_until(lambda: False, step="wait", seconds=1000)
        except StepFailed as failure:
            ended.append(failure)

    def run() -> None:
        begun.wait()
        try:
            commands.run(["sleep", "1000"], step="run")
        except StepFailed as failure:
            ended.append(failure)

    threads = [threading.Thread(target=work) for work in (wait, run)]
    for thread in threads:
        thread.start()
    begun.wait()
    while any(thread.is_alive() for thread in threads):
        with commands.stopped():
            for thread in threads:
                thread.join(timeout=0.1)
    assert {failure.step for failure in ended} == {"wait", "run"}
    assert commands.run(["echo", "again"], step="test") == "again\n"


def test_ending_what_has_ended_is_fine() -> None:
    process = subprocess.Popen(["true"], start_new_session=True)
    process.wait()
    commands.end(process)
    assert process.returncode == 0
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as other:
        commands.end(other)
        assert other.returncode == -signal.SIGKILL


def test_an_interrupt_that_gets_lost_strikes_again_before_the_next_step() -> None:
    with pytest.raises(KeyboardInterrupt):
        commands.interrupt(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        commands.run(["true"], step="test")
    with pytest.raises(KeyboardInterrupt):
        commands.wait_until(lambda: False, step="test", seconds=60)
    commands.forget_interrupt()
    assert commands.run(["echo", "cleaned up"], step="test") == "cleaned up\n"
