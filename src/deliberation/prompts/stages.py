"""The whole prompt of one seat in one stage: the shared beginning, then what only this stage and this seat need."""

import json
from dataclasses import dataclass
from itertools import cycle

from deliberation.api.v1alpha1.deliberation import Criterion
from deliberation.prompts.library import find_preset, render
from deliberation.prompts.parts import Part, choose_mark, enclose
from deliberation.prompts.shared import shared_prompt
from deliberation.protocol.tasks import SeatTask, Task

_EXAMPLE_SCORES = (4, 2, 5, 3, 1)
"""In the example of a ballot: all different, because small models copy what they see."""


@dataclass(frozen=True)
class Listed:
    """One proposal as others see it: its label instead of its author."""

    label: str
    answer: str


Listing = tuple[Listed, ...]


def proposal_prompt(task: Task, seat: SeatTask) -> str:
    """Return the prompt by which the seat proposes an answer."""
    return shared_prompt(task) + render("propose", **_introduce(seat))


def critique_prompt(task: Task, seat: SeatTask, listing: Listing, own: str) -> str:
    """Return the prompt by which the seat criticises the listed proposals, all but the one labelled `own`.

    The own proposal is listed too: all seats then share all of the prompt but its last lines.
    """
    labels = tuple(listed.label for listed in listing if listed.label != own)
    example = json.dumps(dict.fromkeys(labels[:1], "what is wrong, and what would mend it"))
    return _render_listing("critique", task, seat, listing, own=own, labels=", ".join(labels), example=example)


def revision_prompt(task: Task, seat: SeatTask, answer: str, critiques: tuple[str, ...]) -> str:
    """Return the prompt by which the seat revises its answer in the light of critiques."""
    shared = shared_prompt(task)
    mark = choose_mark((shared, answer, *critiques))
    numbered = (Part(f"critique {number}", critique) for number, critique in enumerate(critiques, 1))
    parts = enclose((Part("your answer", answer), *numbered), mark)
    return shared + render("revision", mark=mark, parts=parts, **_introduce(seat))


def debate_prompt(task: Task, seat: SeatTask, listing: Listing, own: str) -> str:
    """Return the prompt by which the seat answers again after it has read others' answers."""
    return _render_listing("debate", task, seat, listing, own=own)


def layer_prompt(task: Task, seat: SeatTask, listing: Listing) -> str:
    """Return the prompt by which the seat makes one better answer of all that are listed."""
    return _render_listing("layer", task, seat, listing)


def ballot_prompt(task: Task, seat: SeatTask, listing: Listing) -> str:
    """Return the prompt by which the seat scores the listed proposals."""
    names = [criterion.name for criterion in task.criteria]
    scores = dict(zip(names, cycle(_EXAMPLE_SCORES), strict=False))
    return _render_listing(
        "ballot",
        task,
        seat,
        listing,
        criteria=_list_criteria(task),
        labels=", ".join(listed.label for listed in listing),
        example=json.dumps({listed.label: scores for listed in listing[:1]}),
    )


def decisions_prompt(task: Task, seat: SeatTask, listing: Listing) -> str:
    """Return the text about which the seat's scores of the listed proposals are asked, one by one."""
    return _render_listing("decisions", task, seat, listing, criteria=_list_criteria(task))


def score_question(label: str, criterion: Criterion) -> str:
    """Return the question for the score of one answer by one criterion."""
    return render("score", label=label, criterion=_tell_criterion(criterion))


def synthesis_prompt(task: Task, seat: SeatTask, listing: Listing, order: tuple[str, ...], dissent: str) -> str:
    """Return the prompt by which the seat makes the result of the best proposals.

    Args:
        task: what is deliberated.
        seat: who writes.
        listing: the best proposals, and those that dissenting judges prefer.
        order: their labels, best first.
        dissent: what speaks against the order, in our words.
    """
    return _render_listing("synthesis", task, seat, listing, order=", ".join(order), dissent=dissent)


def repair_prompt(fault: str) -> str:
    """Return what a seat is told whose reply cannot be used; `fault` says why, in our words."""
    return render("repair", fault=fault)


def _render_listing(template: str, task: Task, seat: SeatTask, listing: Listing, **values: str) -> str:
    shared = shared_prompt(task)
    mark = choose_mark((shared, *(listed.answer for listed in listing)))
    answers = enclose((Part(f"answer {listed.label}", listed.answer) for listed in listing), mark)
    return shared + render(template, mark=mark, answers=answers, **_introduce(seat), **values)


def _introduce(seat: SeatTask) -> dict[str, str]:
    instructions = "\n".join(text for text in (find_preset(seat.role), seat.instructions) if text)
    return {"role": seat.role, "instructions": instructions}


def _list_criteria(task: Task) -> str:
    return "\n".join(f"- {_tell_criterion(criterion)}" for criterion in task.criteria)


def _tell_criterion(criterion: Criterion) -> str:
    return f"{criterion.name}: {criterion.description}" if criterion.description else criterion.name
