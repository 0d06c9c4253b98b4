"""How long to wait before a server is asked again."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 15.0


def choose_pause_seconds(tries: int, retry_after: float | None, drawn: float) -> float:
    """Return the pause after the given number of failed tries.

    Half of a doubling pause is fixed, half is drawn, so that seats that failed together don't come back together.
    What the server asks for is the least; `drawn` is a random number from 0 to 1.
    """
    pause = min(FIRST_PAUSE_SECONDS * 2 ** min(tries - 1, 16), LONGEST_PAUSE_SECONDS)
    jittered = pause * (1 + drawn) / 2
    return jittered if retry_after is None else max(retry_after, 0) + FIRST_PAUSE_SECONDS * drawn


def read_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, section 10.2.3), or None when it asks none."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0)
