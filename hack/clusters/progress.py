"""Tells a waiting person what is being done and how long it has taken."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

QUIET_SECONDS = 15.0


class Progress:
    """Lines of finished steps; on a terminal also one line of the step at hand that rewrites itself.

    Args:
        stream: where to write; standard error when left out, so that standard output holds results only.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.began = time.monotonic()
        self.live = self.stream.isatty()
        self.last_shown = self.began

    def note(self, text: str) -> None:
        """Write a line that stays, with the seconds since the command began."""
        self._erase()
        self.stream.write(f"{self.seconds():7.1f} s  {text}\n")
        self.stream.flush()
        self.last_shown = time.monotonic()

    def now(self, text: str) -> None:
        """Show what is being done; where lines can't be rewritten, only one in every 15 seconds."""
        if self.live:
            self._erase()
            self.stream.write(f"{self.seconds():7.1f} s  {text} ...")
            self.stream.flush()
        elif time.monotonic() - self.last_shown > QUIET_SECONDS:
            self.note(f"{text} ...")

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show a step while the body runs and leave a line with its own duration when it has succeeded."""
        self.now(text)
        began = time.monotonic()
        yield
        self.note(f"{text} ({time.monotonic() - began:.1f} s)")

    def seconds(self) -> float:
        """Return the seconds since the command began."""
        return time.monotonic() - self.began

    def _erase(self) -> None:
        if self.live:
            self.stream.write("\r\x1b[K")
