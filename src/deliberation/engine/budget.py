"""The token budget: a stage is begun only when all of it is sure to be paid for."""

from deliberation.engine.asks import Ask
from deliberation.engine.request import build_request
from deliberation.engine.standing import Standing
from deliberation.protocol.messages import Task

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
    """Return the tokens that one ask may cost: its prompt, estimated from its bytes, and all it is allowed to write."""
    request = build_request(task, standing, ask)
    prompt = sum(len(message["content"].encode("utf-8", "replace")) for message in request.messages)
    return -(-prompt // BYTES_PER_TOKEN) + request.max_tokens
