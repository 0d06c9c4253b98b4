"""One call of a chat model, independent of the client that makes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol.entries import Usage

QUESTIONS_AT_A_TIME = 64
"""Most questions of one call of a decisions endpoint (vLLM 0.33)."""


@dataclass(frozen=True)
class ScoreQuestion:
    """One score that is asked for: of the answer under `label`, by one criterion, on levels from worst to best."""

    label: str
    criterion: str
    instructions: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Decisions:
    """A ballot as typed questions about one text. Servers that have /v1/decisions answer each by one token.

    Every question is asked on its levels as they stand, and in reverse: models like some places of a list better than
    others.
    """

    input: str
    questions: tuple[ScoreQuestion, ...]


@dataclass(frozen=True)
class ChatRequest:
    """What to ask. `schema` is a JSON schema that the reply must satisfy; servers enforce it, and we check it again.

    `decisions` asks for the same in another way, where the server has it.
    """

    messages: tuple[dict[str, str], ...]
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    schema: dict[str, Any] | None = None
    schema_name: str = "answer"
    decisions: Decisions | None = None


@dataclass(frozen=True)
class Access:
    """What a call needs beside the address.

    Attributes:
        api_key: what to show to the server; None for one that asks for none.
        ca_bundle: certificates in PEM of those whom the server's certificate must come from; None for the machine's.
    """

    api_key: str | None = field(default=None, repr=False)
    ca_bundle: str | None = field(default=None, repr=False)


ReadAccess = Callable[[], Access]
"""Gives the access as it is now; raises ModelError when something of it is missing."""


@dataclass(frozen=True)
class Reply:
    """What the server answered. `finish_reason` is the server's word: `length` means that the text is cut off.

    `decided`: it answered `decisions`, and the text is the ballot that its answers are.
    """

    text: str
    finish_reason: str
    usage: Usage
    decided: bool = False


class ModelError(Exception):
    """No usable reply came, for a reason that an abstention can carry. The message never holds model text or a key."""

    def __init__(self, reason: AbstentionReason, message: str, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.usage = usage or Usage()
