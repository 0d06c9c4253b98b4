"""The token budget: a stage is begun only when all of it is sure to be paid for."""

from deliberation.engine.asks import Ask
from deliberation.engine.request import build_request
from deliberation.engine.standing import Standing
from deliberation.protocol.tasks import Task

BYTES_PER_TOKEN = 3
"""Fewer than the four or so that a token of English or code has: a prompt is rather taken for too long."""


def can_pay(task: Task, standing: Standing) -> bool:
    """Return whether the budget, less what was spent, holds what the wave may cost; always, when there is no budget."""
    if task.budget_tokens is None:
        return True
    return count_spent(standing) + sum(reserve(task, standing, ask) for ask in standing.missing) <= task.budget_tokens


def count_spent(standing: Standing) -> int:
    """Return the tokens, read and written, that the servers have counted so far."""
    usages = (entry.usage for entry in standing.list_entries())
    return sum(usage.prompt_tokens + usage.completion_tokens for usage in usages)


def reserve(task: Task, standing: Standing, ask: Ask) -> int:
    """Return the tokens that one ask may cost: its prompt, estimated from its bytes, and all it is allowed to write.

    Of decisions, as if each question were read with all of the text: servers differ in what they count.
    """
    request = build_request(task, standing, ask)
    chat = _estimate(*(message["content"] for message in request.messages)) + request.max_tokens
    if request.decisions is None:
        return chat
    read = request.decisions.input
    asked = sum(_estimate(read, one.instructions, *one.levels) + 1 for one in request.decisions.questions)
    return max(chat, 2 * asked)


def _estimate(*texts: str) -> int:
    return -(-sum(len(text.encode("utf-8", "replace")) for text in texts) // BYTES_PER_TOKEN)
