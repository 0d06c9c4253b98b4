"""Running the programs that build: their output is shown as it comes, and they never outlive us."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from clusters.errors import StepFailed


def run(arguments: Sequence[str | Path], *, step: str) -> None:
    """Run a program to its end and show what it says on standard error; standard output is for results.

    Whatever ends the wait, an interrupt included, ends the program with all that it started.

    Raises:
        StepFailed: it is missing or fails; its own words stand above the message.
    """
    try:
        process = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            env={**os.environ, "DOCKER_BUILDKIT": "1"},
            start_new_session=True,
        )
    except OSError as error:
        raise StepFailed(step, f"'{arguments[0]}' can't be run: {error.strerror}") from error
    try:
        status = process.wait()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if status != 0:
        raise StepFailed(step, f"'{arguments[0]}' ended with status {status}; the lines above say why")


def answers(arguments: Sequence[str]) -> bool:
    """Return whether a program exists and succeeds; what it says is not shown."""
    try:
        return subprocess.run(arguments, check=False, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
