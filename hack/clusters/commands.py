"""Running other programs: failures name the program and show what it said; children never outlive us."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from clusters.errors import StepFailed

POLL_SECONDS = 0.05
# Programs that run now, and whether no thread is to go on; see stopped().
_running: set["subprocess.Popen[bytes]"] = set()
_stop = threading.Event()
_interrupted = threading.Event()
_starting = threading.Lock()


def run(
    arguments: Sequence[str | Path],
    *,
    step: str,
    text: str | None = None,
    stdin: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 300,
) -> str:
    """Run a program to its end and return its standard output.

    Args:
        arguments: the program and its arguments; never a shell line.
        step: what this is part of, for the message of a failure.
        text: given to the program as standard input, instead of `stdin`.
        stdin: a file given as standard input.
        environment: variables set in addition to ours.
        seconds: how long it may take.

    Raises:
        StepFailed: the program is missing, fails, takes too long, or is stopped.
    """
    # No program may start between the order to stop and the end of those that run.
    with _starting:
        _go_on(step)
        try:
            process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.PIPE if text is not None else stdin or subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        except OSError as error:
            raise StepFailed(step, f"'{arguments[0]}' can't be run: {error.strerror}") from error
        _running.add(process)
    try:
        output, complaint = process.communicate(None if text is None else text.encode(), timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise StepFailed(step, f"'{arguments[0]}' did not end within {seconds:.0f} s") from error
    finally:
        end(process)
        _running.discard(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    _go_on(step)
    if process.returncode != 0:
        said = "\n".join((complaint or output).decode(errors="replace").strip().splitlines()[-15:])
        raise StepFailed(step, f"'{arguments[0]}' ended with status {process.returncode}: {said}")
    return output.decode(errors="replace")


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a child that runs in a session of its own, and all that it has started there, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(holds: Callable[[], bool], *, step: str, seconds: float, log: Path | None = None) -> None:
    """Ask again and again until the answer is yes.

    Raises:
        StepFailed: it was no for `seconds`; the message shows the end of `log`.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise StepFailed(step, f"not there after {seconds:.0f} s", log)
        _stop.wait(POLL_SECONDS)
        _go_on(step)


@contextmanager
def stopped() -> Iterator[None]:
    """End all programs that run, and have every wait in other threads fail, until the body has ended."""
    _stop.set()
    with _starting:
        for process in list(_running):
            end(process)
    try:
        yield
    finally:
        _stop.clear()


def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    """Answer a signal: raise KeyboardInterrupt now, and again before the next step.

    Python raises between any two instructions. In a finalizer the exception would be lost, and the command go on.
    """
    _interrupted.set()
    raise KeyboardInterrupt


def forget_interrupt() -> None:
    """Let steps go on that clean up after an interrupt."""
    _interrupted.clear()


def _go_on(step: str) -> None:
    if _interrupted.is_set():
        raise KeyboardInterrupt
    if _stop.is_set():
        raise StepFailed(step, "stopped, because something else has failed")
