"""What is right, in the world of a simulated model: a digest of the question, so that all who are right agree."""

from collections.abc import Sequence
from typing import TypeVar

from deliberation.models.simulated.draws import pick

Value = TypeVar("Value")

WORDS = (
    "amber",
    "basalt",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "granite",
    "harbor",
    "indigo",
    "juniper",
    "kelp",
    "lichen",
)
"""In place of insight: a simulated text recommends one of these."""

YES_NO = ("yes", "no")
NUMBERS = tuple(range(100))


def right(question: str, options: Sequence[Value]) -> Value:
    """Return the right one of the options."""
    return pick(options, "truth", question)


def right_word(question: str) -> str:
    """Return what a right text recommends."""
    return right(question, WORDS)


def right_number(question: str) -> int:
    """Return the right number, from 0 to 99."""
    return pick(NUMBERS, "truth", question)


def is_right(question: str, choices: Sequence[str], answer: str) -> bool:
    """Return whether a proposal is right, whatever form its answer has."""
    closed = {right(question, choices)} if choices else {right(question, YES_NO), str(right_number(question))}
    return answer.strip() in closed or _quote(right_word(question)) in answer


def propose_text(word: str) -> str:
    """Return a short text that recommends the word."""
    return (
        f"Simulated answer, written by no model: go with {_quote(word)}. It meets every requirement that was named, "
        "can be taken back if it fails, and leaves the rest as it is."
    )


def _quote(word: str) -> str:
    return f'"{word}"'
