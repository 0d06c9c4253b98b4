"""What a model server said before it ended, out of the end of its log: what names the cause.

The kubelet keeps at most 2048 bytes and 80 lines of a failed container's log as its termination message.
"""

import re

MAX_WORDS = 250
"""Longest quotation in characters."""

_LINE_HEAD = re.compile(r"^(?:\([^)]*\)\s+)?(?:(?:ERROR|CRITICAL)\s+[-\d]+\s+[:.\d]+\s+\[[^\]]*\]\s*)?")
"""vLLM's names of its processes, and the heads of its log lines."""

_REFUSED_FLAG = re.compile(r"^[\w.-]+: error: .+")
_EXCEPTION = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception)\b: .+")

_LISTS_FAULTS = re.compile(r"\d+ validation errors? for \w+$")
"""Pydantic's first line; the next two have the field and what is wrong with it."""


def find_last_words(log: str) -> str | None:
    """Return the last error that a log tells, on one line and without the log's own marks; None when it tells none."""
    lines = [_LINE_HEAD.sub("", line.strip()) for line in log.splitlines()]
    for number in reversed(range(len(lines))):
        if _REFUSED_FLAG.match(lines[number]) or _EXCEPTION.match(lines[number]):
            words = " ".join(lines[number : number + (3 if _LISTS_FAULTS.search(lines[number]) else 1)])
            return words if len(words) <= MAX_WORDS else f"{words[: MAX_WORDS - 1]}…"
    return None


def is_about_flags(words: str) -> bool:
    """Return whether the server did not understand how it was started."""
    return _REFUSED_FLAG.match(words) is not None
