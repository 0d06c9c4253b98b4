import pytest
from hypothesis import given

from deliberation.engine.asks import Contribution, ask_of
from deliberation.protocol.entries import Abstention, Cancel, Proposal, Stage, Start, Suspend, Verdict
from unit.deliberation.protocol import strategies

CONTRIBUTIONS = strategies.entries.filter(
    lambda entry: not isinstance(entry, Abstention | Cancel | Start | Suspend | Verdict)
)


@given(CONTRIBUTIONS)
def test_an_entry_lies_where_its_ask_says(entry: Contribution) -> None:
    assert ask_of(entry).key == entry.key


@given(strategies.abstentions)
def test_an_abstention_lies_where_its_ask_says(entry: Abstention) -> None:
    assert ask_of(entry).abstention_key == entry.key


@pytest.mark.parametrize(("number", "stage"), [(0, Stage.PROPOSE), (1, Stage.EXCHANGE), (2, Stage.EXCHANGE)])
def test_a_proposal_of_a_later_round_answers_an_exchange(number: int, stage: Stage) -> None:
    assert ask_of(Proposal(seat="s-0", round=number, answer="x")).stage is stage
