"""The whole prompt of one seat in one stage: the shared beginning, then what only this stage and this seat need."""

import json
from dataclasses import dataclass

from deliberation.prompts.library import find_preset, render
from deliberation.prompts.parts import Part, choose_mark, enclose
from deliberation.prompts.shared import shared_prompt
from deliberation.protocol.messages import SeatTask, Task


@dataclass(frozen=True)
class Listed:
    """One proposal as a judge sees it: its label instead of its author."""

    label: str
    answer: str


def proposal_prompt(task: Task, seat: SeatTask) -> str:
    """Return the prompt by which the seat proposes an answer."""
    return shared_prompt(task) + render("propose", role=seat.role, instructions=_instructions(seat))


def ballot_prompt(task: Task, seat: SeatTask, listing: tuple[Listed, ...], own: str) -> str:
    """Return the prompt by which the seat scores the listed proposals, all but the one labelled `own`.

    The own proposal is listed too: judges who see the same list then share all of the prompt but its last lines.
    """
    shared = shared_prompt(task)
    mark = choose_mark((shared, *(proposal.answer for proposal in listing)))
    answers = enclose((Part(f"answer {proposal.label}", proposal.answer) for proposal in listing), mark)
    labels = tuple(proposal.label for proposal in listing if proposal.label != own)
    example = json.dumps({labels[0]: {criterion.name: 3 for criterion in task.criteria}}) if labels else "{}"
    judging = render("judge", criteria=_criteria(task), mark=mark, answers=answers)
    tail = render(
        "ballot",
        role=seat.role,
        instructions=_instructions(seat),
        own=own,
        labels=", ".join(labels),
        example=example,
    )
    return shared + judging + "\n\n" + tail


def _criteria(task: Task) -> str:
    return "\n".join(
        f"- {criterion.name}: {criterion.description}" if criterion.description else f"- {criterion.name}"
        for criterion in task.criteria
    )


def _instructions(seat: SeatTask) -> str:
    return "\n".join(text for text in (find_preset(seat.role), seat.instructions) if text)
