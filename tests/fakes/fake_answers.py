"""What fake seats say: the same every time, in every stage."""

from deliberation.engine.asks import Ask
from deliberation.engine.reading import list_judged
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Ballot, Critique, LedgerEntry, Proposal, Score, Stage, Synthesis, Usage
from deliberation.protocol.tasks import Task


def answer_ask(task: Task, standing: Standing, ask: Ask, text: str, usage: Usage | None = None) -> LedgerEntry:
    """Return the entry that fills the ask: `text` as an answer, any critique, and scores by the length of answers."""
    used = usage or Usage()
    match ask.stage:
        case Stage.PROPOSE | Stage.EXCHANGE:
            return Proposal(seat=ask.seat, round=ask.round, sample=ask.turn, answer=text, usage=used)
        case Stage.CRITIQUE:
            others = (proposal.id for proposal in standing.proposals.values() if proposal.seat != ask.seat)
            return Critique(seat=ask.seat, round=ask.round, texts=dict.fromkeys(others, "too short"), usage=used)
        case Stage.JUDGE:
            scores = tuple(
                Score(proposal=name, criteria={item.name: 1 + len(proposal.answer) % 5 for item in task.criteria})
                for name, proposal in list_judged(standing, ask.seat).items()
            )
            return Ballot(judge=ask.seat, order=ask.turn, scores=scores, usage=used)
        case Stage.SYNTHESISE:
            return Synthesis(seat=ask.seat, answer=text, usage=used)
