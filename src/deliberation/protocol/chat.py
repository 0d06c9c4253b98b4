"""One call of a chat model, independent of the client that makes it."""

from dataclasses import dataclass
from typing import Any

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol.messages import Usage


@dataclass(frozen=True)
class ChatRequest:
    """What to ask. `schema` is a JSON schema that the reply must satisfy; servers enforce it, and we check it again."""

    messages: tuple[dict[str, str], ...]
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    schema: dict[str, Any] | None = None
    schema_name: str = "answer"


@dataclass(frozen=True)
class Reply:
    """What the server answered. `finish_reason` is the server's word: `length` means that the text is cut off."""

    text: str
    finish_reason: str
    usage: Usage


class ModelError(Exception):
    """No usable reply came, for a reason that an abstention can carry. The message never holds model text or a key."""

    def __init__(self, reason: AbstentionReason, message: str, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.usage = usage or Usage()
