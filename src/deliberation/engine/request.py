"""From an ask to the call of a model."""

from hashlib import sha256

from deliberation.engine.asks import Ask
from deliberation.engine.labels import build_listing
from deliberation.engine.schemas import MAX_RATIONALE_CHARACTERS, build_answer_schema, build_ballot_schema
from deliberation.engine.standing import Standing
from deliberation.prompts.stages import Listed, ballot_prompt, proposal_prompt
from deliberation.protocol.chat import ChatRequest
from deliberation.protocol.messages import SeatTask, Stage, Task

_MAX_SEED = 2**31


def build_request(task: Task, standing: Standing, ask: Ask) -> ChatRequest:
    """Return the call that fills the ask. The same task, standing and ask always give the same call.

    There is one message, from the user: some chat templates refuse a system message, and a shared beginning is a shared
    beginning wherever it stands.

    Raises:
        KeyError: the seat is none of the task's, or a judge without a proposal.
    """
    seat = {seat.id: seat for seat in task.seats}[ask.seat]
    return _ask_proposal(task, seat, ask) if ask.stage is Stage.PROPOSE else _ask_ballot(task, standing, seat, ask)


def _ask_proposal(task: Task, seat: SeatTask, ask: Ask) -> ChatRequest:
    return ChatRequest(
        messages=({"role": "user", "content": proposal_prompt(task, seat)},),
        max_tokens=seat.max_tokens,
        temperature=seat.temperature_milli / 1000,
        top_p=seat.top_p_milli / 1000,
        seed=_seed(task, ask),
        schema=build_answer_schema(task.answer),
    )


def _ask_ballot(task: Task, standing: Standing, seat: SeatTask, ask: Ask) -> ChatRequest:
    """Return a judge's call: at temperature 0, for a judge who changes its mind by chance is noise."""
    proposals = build_listing(standing, seat.id)
    listing = tuple(Listed(label, proposal.answer) for label, proposal in proposals.items())
    own = next(label for label, proposal in proposals.items() if proposal.seat == seat.id)
    labels = tuple(label for label in proposals if label != own)
    return ChatRequest(
        messages=({"role": "user", "content": ballot_prompt(task, seat, listing, own)},),
        max_tokens=_ballot_tokens(task, len(labels)),
        temperature=0.0,
        top_p=1.0,
        seed=_seed(task, ask),
        schema=build_ballot_schema(labels, task.criteria),
        schema_name="ballot",
    )


def _seed(task: Task, ask: Ask) -> int:
    """Return a seed of the call's own: two seats with one seed would write the same text."""
    digest = sha256(f"{task.seed}/{ask.key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _MAX_SEED


def _ballot_tokens(task: Task, proposals: int) -> int:
    """Return enough tokens for any ballot that keeps to its schema, with room for white space between its parts.

    A token is at least one character, so the lengths of what must be written are an upper bound for it.
    """
    one_proposal = 16 + sum(len(criterion.name) + 12 for criterion in task.criteria)
    return MAX_RATIONALE_CHARACTERS + 64 + proposals * one_proposal
