"""What a simulated model understands of a prompt: the question, the choices, and the answers that it shall judge.

Parts stand between `[title mark]` and `[end mark]`, as `deliberation.prompts` writes them. A prompt without such parts,
typed by a person, is a question as a whole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_FIRST_LINE = re.compile(r"^\[([^\]\n]+) ([0-9a-f]{8})\]\n", re.MULTILINE)


@dataclass
class Understood:
    """A prompt, taken apart. `answers` are those to be judged, by label."""

    question: str
    choices: tuple[str, ...] = ()
    answers: dict[str, str] = field(default_factory=dict)


def understand(prompt: str) -> Understood:
    """Return what the prompt asks."""
    understood = Understood(question=prompt)
    for title, text in _parts(prompt):
        if title == "question":
            understood.question = text
        elif title == "choices":
            understood.choices = tuple(line.removeprefix("- ") for line in text.split("\n"))
        elif title.startswith("answer "):
            understood.answers[title.removeprefix("answer ")] = text
    return understood


def _parts(prompt: str) -> Iterator[tuple[str, str]]:
    """Yield title and text of each part; what stands inside a part is none."""
    position = 0
    while first := _FIRST_LINE.search(prompt, position):
        title, mark = first.groups()
        last_line = f"\n[end {mark}]"
        end = prompt.find(last_line, first.end() - 1)
        if end < 0:
            position = first.end()
        else:
            yield title, prompt[first.end() : end]
            position = end + len(last_line)
