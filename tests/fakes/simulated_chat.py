"""A model client that asks a simulated model without a server, and remembers what it was asked."""

import asyncio
import json
from collections import Counter
from dataclasses import asdict
from hashlib import sha256

from deliberation.models.simulated.answering import Asked, Traits, answer
from deliberation.models.simulated.prefix_cache import CHARACTERS_PER_TOKEN, count_tokens
from deliberation.protocol.chat import ChatRequest, ReadAccess, Reply
from deliberation.protocol.entries import Usage
from deliberation.protocol.tasks import ModelAddress
from deliberation.runner.clock import Clock


class SimulatedChat:
    """Implements `runner.seat.Chat`. `calls` counts what was begun, by request; the tokens are of what was answered.

    `one_by_one`: calls that begin together are answered in their order, with time for others to see each answer.
    """

    def __init__(self, traits: Traits | None = None, *, one_by_one: bool = False) -> None:
        self._traits = traits or Traits()
        self._turns = 50 if one_by_one else 0
        self.calls: Counter[str] = Counter()
        self.prompt_tokens = 0
        self.completion_tokens = 0

    async def complete(
        self, address: ModelAddress, read_access: ReadAccess, request: ChatRequest, deadline_ms: int, clock: Clock
    ) -> Reply:
        del address, read_access, deadline_ms, clock
        identity = sha256(json.dumps(asdict(request), sort_keys=True).encode()).hexdigest()
        self.calls[identity] += 1
        for _ in range(1 + self._turns * self.calls.total()):
            await asyncio.sleep(0)
        prompt = "\n\n".join(message["content"] for message in request.messages)
        whole = answer(self._traits, Asked(identity, prompt, request.schema))
        text = whole[: request.max_tokens * CHARACTERS_PER_TOKEN]
        usage = Usage(calls=1, prompt_tokens=count_tokens(prompt), completion_tokens=count_tokens(text))
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        return Reply(text, "stop" if text == whole else "length", usage)
