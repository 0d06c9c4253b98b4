"""Keeps a driver alive beside its seats: KubeRay would give up the whole cluster, and every call that is made in it.

The seats are actors of their own, and outlive their driver. The next driver asks them for the same answers and gets
those that are being made, so a crash costs neither a call nor the start of a cluster.
"""

import logging
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from types import FrameType

LONG_LIFE_SECONDS = 60.0
"""A driver that lived as long crashed of something that does not come back at once."""

PAUSES_SECONDS = (0.1, 1.0, 5.0)
"""Pause before each further driver, when one after the other crashes early. After these the job is given up."""

UNUSABLE_SETTINGS = 2
"""Exit status of a driver that no repetition can help."""

log = logging.getLogger(__name__)


class Supervisor:
    """Runs one command again and again until it ends on purpose, is asked to end, or crashes too often."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._command = command
        self._monotonic = monotonic
        self._pause = pause
        self._process: subprocess.Popen[bytes] | None = None
        self._asked_to_end = False

    def run(self) -> int:
        """Return the exit status of the last one; 0 when it was asked to end."""
        early = 0
        while not self.is_ending():
            begun = self._monotonic()
            status = self._run_once()
            if self.is_ending():
                break
            if status in {0, UNUSABLE_SETTINGS}:
                return status
            early = 0 if self._monotonic() - begun >= LONG_LIFE_SECONDS else early + 1
            if early > len(PAUSES_SECONDS):
                log.error("the driver crashed %d times in a row (exit status %d): given up", early, status)
                return status
            log.warning("the driver crashed (exit status %d) and is started again", status)
            self._pause(PAUSES_SECONDS[max(early, 1) - 1])
        return 0

    def is_ending(self) -> bool:
        """Return whether it was asked to end; a signal may change that between any two lines."""
        return self._asked_to_end

    def end(self, _number: int = signal.SIGTERM, _frame: FrameType | None = None) -> None:
        """Ask the command to end, and start it no more."""
        self._asked_to_end = True
        if self._process is not None:
            self._process.terminate()

    def _run_once(self) -> int:
        """Run the command. It reads the end of its standard input when this process dies, however that comes."""
        with subprocess.Popen(self._command, stdin=subprocess.PIPE) as self._process:
            if self.is_ending():
                self._process.terminate()
            return self._process.wait()
