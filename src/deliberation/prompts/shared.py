"""The text that every prompt of a run begins with, whichever seat reads it and in whichever stage."""

import json
from collections.abc import Iterator

from deliberation.api.v1alpha1.deliberation import AnswerType
from deliberation.prompts.library import render
from deliberation.prompts.parts import Part, choose_mark, enclose
from deliberation.protocol.tasks import Task


def shared_prompt(task: Task) -> str:
    """Return the shared beginning: the question, its context and requirements, and the form of the answer."""
    parts = tuple(_parts(task))
    mark = choose_mark(part.text for part in parts)
    form = render("quantity" if task.answer.unit else _FORMS[task.answer.type])
    return render("shared", mark=mark, parts=enclose(parts, mark), form=form) + "\n\n"


_FORMS = {
    AnswerType.TEXT: "text",
    AnswerType.CHOICE: "choice",
    AnswerType.NUMBER: "number",
    AnswerType.BOOLEAN: "boolean",
    AnswerType.JSON: "json",
}


def _parts(task: Task) -> Iterator[Part]:
    yield Part("question", task.question)
    for context in task.context:
        yield Part(f"context {context.name}", context.text)
    if task.requirements:
        yield Part("requirements", _list(task.requirements))
    if task.answer.choices:
        yield Part("choices", _list(task.answer.choices))
    if task.answer.unit:
        yield Part("unit", task.answer.unit)
    if task.answer.json_schema is not None:
        yield Part("schema", json.dumps(task.answer.json_schema, ensure_ascii=False))


def _list(items: tuple[str, ...]) -> str:
    return "\n".join(f"- {item}" for item in items)
