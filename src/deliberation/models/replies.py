"""What servers answer, read with care: they are others' programs."""

import json
from typing import Any

from deliberation.protocol.chat import Reply
from deliberation.protocol.entries import Usage

MAX_TOKENS = 1_000_000_000
"""No call uses more: a larger count is a fault of the server and counts as this."""


class MalformedReplyError(ValueError):
    """A body that is not what it should be. The message holds nothing of it."""


def read_completion(body: bytes) -> Reply:
    """Return the first choice of a chat completion. A message without text has an empty text.

    Raises:
        MalformedReplyError: it is none.
    """
    completion = read_object(body)
    choices = completion.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise MalformedReplyError("it has no choices")
    message = choices[0].get("message")
    if not isinstance(message, dict):
        raise MalformedReplyError("it has no message in its first choice")
    text = message.get("content")
    finish_reason = choices[0].get("finish_reason")
    return Reply(
        text=text if isinstance(text, str) else "",
        finish_reason=finish_reason if isinstance(finish_reason, str) else "",
        usage=read_usage(body),
    )


def read_usage(body: bytes) -> Usage:
    """Return what one answered call has used, as far as the body tells it: of a chat, or of decisions."""
    try:
        usage = _as_object(read_object(body).get("usage"))
    except MalformedReplyError:
        usage = {}
    details = _as_object(usage.get("prompt_tokens_details", usage.get("input_tokens_details")))
    return Usage(
        calls=1,
        prompt_tokens=_as_count(usage.get("prompt_tokens", usage.get("input_tokens"))),
        cached_tokens=_as_count(details.get("cached_tokens")),
        completion_tokens=_as_count(usage.get("completion_tokens", usage.get("output_tokens"))),
    )


def read_model_names(body: bytes) -> frozenset[str]:
    """Return the names of the models that a server lists.

    Raises:
        MalformedReplyError: it is no list of models.
    """
    models = read_object(body).get("data")
    if not isinstance(models, list):
        raise MalformedReplyError("it has no data")
    return frozenset(name for model in models if isinstance(name := _as_object(model).get("id"), str))


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that the body is.

    Raises:
        MalformedReplyError: it is none.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedReplyError("it is not JSON") from None
    if not isinstance(value, dict):
        raise MalformedReplyError("it is no JSON object")
    return value


def _as_object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _as_count(value: object) -> int:
    return min(max(value, 0), MAX_TOKENS) if isinstance(value, int) and not isinstance(value, bool) else 0
