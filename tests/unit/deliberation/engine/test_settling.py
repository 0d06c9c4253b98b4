"""A verdict leaves what it counts, and of that nothing which speaks of something else."""

import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.engine.asks import Ask
from deliberation.engine.settling import drop_uncounted
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Abstention, Ballot, Critique, Proposal, Score, Stage, Synthesis

FIRST = {f"s-{i}": Proposal(seat=f"s-{i}", answer=f"of s-{i}") for i in range(3)}
REVISED = {"s-0": Proposal(seat="s-0", round=1, answer="better")}
SILENT = Ask(Stage.EXCHANGE, "s-1", 1)
ALL = Standing(
    rounds=(FIRST, REVISED),
    proposals=FIRST | REVISED,
    critiques={(1, "s-2"): Critique(seat="s-2", round=1, texts={"s-0": "too short", "s-1": "too long"})},
    ballots={
        ("s-0", 0): Ballot(
            judge="s-0", scores=(Score(proposal="s-1", criteria={"x": 4}), Score(proposal="s-2", criteria={"x": 2}))
        ),
        ("s-1", 0): Ballot(judge="s-1", scores=(Score(proposal="s-0", criteria={"x": 5}),)),
    },
    synthesis=Synthesis(seat="s-0", answer="both"),
    abstentions={SILENT: Abstention(seat="s-1", stage=Stage.EXCHANGE, round=1, reason=AbstentionReason.STAGE_ENDED)},
)
KEYS = frozenset(entry.key for entry in ALL.list_entries())


def test_what_counts_in_full_is_left_as_it_is() -> None:
    assert drop_uncounted(ALL, KEYS) == (ALL, 0)


def test_of_what_is_not_counted_nothing_is_left() -> None:
    assert drop_uncounted(ALL, frozenset()) == (Standing(rounds=({}, {})), len(KEYS))


@pytest.mark.parametrize(
    ("key", "left"),
    [
        ("synthesis", ALL._replace(synthesis=None)),
        ("critique.1.s-2", ALL._replace(critiques={})),
        ("ballot.0.s-0.0", ALL._replace(ballots={("s-1", 0): ALL.ballots["s-1", 0]})),
        ("abstention.exchange.1.s-1.0", ALL._replace(abstentions={})),
        ("proposal.1.s-0.0", ALL._replace(rounds=(FIRST, {}), proposals=FIRST)),
    ],
)
def test_an_entry_that_is_not_counted_is_left_out_alone(key: str, left: Standing) -> None:
    assert drop_uncounted(ALL, KEYS - {key}) == (left, 1)


def test_a_judge_goes_with_its_proposal_and_so_do_the_ballots_about_it() -> None:
    left, dropped = drop_uncounted(ALL, KEYS - {"proposal.0.s-2.0"})
    assert left.proposals == {"s-0": REVISED["s-0"], "s-1": FIRST["s-1"]}
    assert left.ballots == {("s-1", 0): ALL.ballots["s-1", 0]}
    assert left.critiques == ALL.critiques
    assert dropped == 2


def test_a_critique_goes_with_what_it_is_about_and_a_ballot_with_its_judge() -> None:
    left, dropped = drop_uncounted(ALL, KEYS - {"proposal.0.s-1.0"})
    assert (left.critiques, left.ballots) == ({}, {})
    assert dropped == 4
