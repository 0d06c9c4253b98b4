"""Text of models, made fit for messages and status: valid Unicode, no control characters, bounded in bytes."""

import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_THINKING_BEGINS, _THINKING_ENDS = "<think>", "</think>"


def clean(text: str) -> str:
    """Return the text without control characters and lone surrogates, trimmed, with lines ended by newlines alone.

    Control characters would let a model's text drive the terminal of whoever reads the status.
    """
    valid = text.encode("utf-8", "replace").decode("utf-8")
    return _CONTROLS.sub("", valid.replace("\r\n", "\n").replace("\r", "\n")).strip()


def cut(text: str, max_bytes: int) -> str:
    """Return the beginning of the text that fits into `max_bytes` of UTF-8, cut between two characters."""
    return text.encode("utf-8")[:max_bytes].decode("utf-8", "ignore")


def drop_thinking(text: str) -> str:
    """Return what follows the thinking that a reasoning model wrote first; nothing when it never came to an end."""
    head, ended, answer = text.partition(_THINKING_ENDS)
    begins_thinking = head.lstrip().startswith(_THINKING_BEGINS)
    if ended and (begins_thinking or _THINKING_BEGINS not in head):
        return answer
    return "" if begins_thinking else text
