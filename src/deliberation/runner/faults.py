"""What a log may say of an unexpected error: its kind and place, never its message, which may hold anybody's text."""

from pathlib import Path
from traceback import extract_tb

from deliberation.bus.port import BusUnavailableError


class SeatFailedError(Exception):
    """A seat failed without saying so in the ledger. The message holds no text of users or models."""


def describe(error: BaseException) -> str:
    """Return the error's kind and the line that raised it; of errors whose message is ours, the message."""
    if isinstance(error, BusUnavailableError | SeatFailedError):
        return str(error)
    frames = extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
