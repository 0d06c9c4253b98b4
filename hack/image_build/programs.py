"""Running the programs that build: shown by their last line while they run, and they never outlive us."""

import os
import signal
import subprocess
from collections import deque
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from clusters.errors import StepFailed
from clusters.progress import Progress

LINES_OF_A_FAILURE = 40
MAX_LINE = 100


def run(arguments: Sequence[str | Path], *, step: str) -> None:
    """Run a program to its end and show on standard error what it is doing; standard output is for results.

    Whatever ends the wait, an interrupt included, ends the program with all that it started.

    Raises:
        StepFailed: it is missing or fails; the message holds the end of what it said.
    """
    try:
        process = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
            start_new_session=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise StepFailed(step, f"'{arguments[0]}' can't be run: {error.strerror}") from error
    progress = Progress()
    with progress.step(step):
        try:
            said = _follow(process, step, progress)
            status = process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if status != 0:
            raise StepFailed(step, f"'{arguments[0]}' ended with status {status}:\n{said}")


def _follow(process: "subprocess.Popen[str]", step: str, progress: Progress) -> str:
    """Show the line at hand until there are no more, and return the last ones."""
    last: deque[str] = deque(maxlen=LINES_OF_A_FAILURE)
    with process.stdout or nullcontext(()) as lines:
        for line in lines:
            if said := line.strip():
                last.append(said)
                progress.now(f"{step}: {said[:MAX_LINE]}")
    return "\n".join(f"    {line}" for line in last)


def answers(arguments: Sequence[str]) -> bool:
    """Return whether a program exists and succeeds; what it says is not shown."""
    try:
        return subprocess.run(arguments, check=False, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
