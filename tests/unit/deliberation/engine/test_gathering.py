"""One wave while its answers come in: their order is that of the asks, whatever the order in which they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine.asks import Ask
from deliberation.engine.gathering import Gathering
from deliberation.engine.standing import Standing
from deliberation.engine.strategies import Leg
from deliberation.protocol.entries import Abstention, Ballot, Critique, LedgerEntry, Proposal, Stage, Synthesis

SEATS = ("s-0", "s-1", "s-2")
BEFORE = Standing(
    rounds=({"s-0": Proposal(seat="s-0", answer="left")},), proposals={"s-0": Proposal(seat="s-0", answer="left")}
)


def ask_all(stage: Stage, number: int = 0, turns: int = 1) -> tuple[Ask, ...]:
    return tuple(Ask(stage, seat, number, turn) for seat in SEATS for turn in range(turns))


def gather(asks: tuple[Ask, ...], before: Standing = BEFORE, spoiled: frozenset[str] = frozenset()) -> Gathering:
    return Gathering(Leg(asks[0].stage, asks[0].round, 1000), asks, before, spoiled)


def abstain(ask: Ask) -> Abstention:
    return Abstention(
        seat=ask.seat, stage=ask.stage, round=ask.round, turn=ask.turn, reason=AbstentionReason.MODEL_UNAVAILABLE
    )


def answer(ask: Ask) -> Proposal | Critique | Ballot | Synthesis:
    match ask.stage:
        case Stage.PROPOSE | Stage.EXCHANGE:
            return Proposal(seat=ask.seat, round=ask.round, sample=ask.turn, answer=f"of {ask.seat}")
        case Stage.CRITIQUE:
            return Critique(seat=ask.seat, round=ask.round, texts={"s-0": "short"})
        case Stage.JUDGE:
            return Ballot(judge=ask.seat, order=ask.turn, scores=())
        case _:
            return Synthesis(seat=ask.seat, answer="both")


WAVES = [
    ask_all(Stage.PROPOSE, turns=2),
    ask_all(Stage.EXCHANGE, 1),
    ask_all(Stage.CRITIQUE, 1),
    ask_all(Stage.JUDGE, turns=2),
    (Ask(Stage.SYNTHESISE, "s-1"),),
]


@given(st.sampled_from(WAVES), st.data())
def test_answers_stand_in_the_order_of_the_asks(asks: tuple[Ask, ...], data: st.DataObject) -> None:
    silent = data.draw(st.sets(st.sampled_from(asks)))
    said: dict[Ask, LedgerEntry] = {}
    wave = gather(asks)
    for ask in data.draw(st.permutations(asks)):
        said[ask] = entry = abstain(ask) if ask in silent else answer(ask)
        wave.take(ask.key, entry)
    new = [entry for entry in wave.settle().list_entries() if entry not in list(BEFORE.list_entries())]
    assert new == [said[ask] for ask in asks if ask not in silent] + [said[ask] for ask in asks if ask in silent]
    assert not wave.open


def test_a_wave_that_nobody_answered_changes_nothing() -> None:
    wave = gather(ask_all(Stage.EXCHANGE, 1))
    assert (wave.settle(), wave.has_begun) == (BEFORE, False)
    wave.close("proposal.1.s-1.0")
    assert (wave.settle(), wave.has_begun) == (BEFORE, True)
    assert list(wave.open) == ["proposal.1.s-0.0", "proposal.1.s-2.0"]


def test_a_revision_takes_the_place_of_what_it_revises() -> None:
    first, second, _ = ask_all(Stage.EXCHANGE, 1)
    wave = gather((first, second))
    wave.take(first.key, answer(first))
    standing = wave.settle()
    assert standing.proposals == {"s-0": answer(first)}
    assert standing.rounds == (*BEFORE.rounds, {"s-0": answer(first)})


def test_a_round_in_which_nobody_spoke_is_an_empty_one() -> None:
    [ask] = asks = (Ask(Stage.EXCHANGE, "s-0", 3),)
    wave = gather(asks)
    wave.take(ask.key, answer(ask))
    assert wave.settle().rounds == (*BEFORE.rounds, {}, {}, {"s-0": answer(ask)})


def test_what_is_open_no_more_is_found_by_no_abstention() -> None:
    ask, *_ = asks = ask_all(Stage.JUDGE, turns=2)
    wave = gather(asks)
    assert wave.find_ask_of_abstention("abstention.judge.0.s-0.0") == ask
    assert wave.find_ask_of_abstention("abstention.judge.0.s-9.0") is None
    wave.take(ask.key, answer(ask))
    assert wave.find_ask_of_abstention("abstention.judge.0.s-0.0") is None


@pytest.mark.parametrize("asks", WAVES)
def test_nobody_is_asked_who_can_neither_answer_nor_abstain(asks: tuple[Ask, ...]) -> None:
    wave = gather(asks, spoiled=frozenset({asks[0].abstention_key}))
    assert tuple(wave.open.values()) == asks[1:]
    assert wave.has_begun
