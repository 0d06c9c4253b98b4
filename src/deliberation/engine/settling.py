"""How a standing changes: by what a wave of asks has brought, and by what a verdict leaves out."""

from collections.abc import Mapping
from dataclasses import replace

from deliberation.engine.asks import Ask, Contribution
from deliberation.engine.standing import Standing
from deliberation.engine.strategies import Leg
from deliberation.protocol.messages import Abstention, Ballot, Critique, Proposal, Stage, Synthesis


def settle(before: Standing, leg: Leg, given: tuple[Contribution, ...], absent: Mapping[Ask, Abstention]) -> Standing:
    """Return the standing with what one wave has brought, in the order of its asks."""
    abstentions = {**before.abstentions, **absent}
    match leg.stage:
        case Stage.PROPOSE | Stage.EXCHANGE:
            written = {entry.id: entry for entry in given if isinstance(entry, Proposal)}
            earlier = before.rounds[: leg.round]
            skipped: tuple[Mapping[str, Proposal], ...] = ({},) * (leg.round - len(earlier))
            return replace(
                before,
                proposals={**before.proposals, **written},
                rounds=(*earlier, *skipped, written),
                abstentions=abstentions,
            )
        case Stage.CRITIQUE:
            critiques = {(entry.round, entry.seat): entry for entry in given if isinstance(entry, Critique)}
            return replace(before, critiques={**before.critiques, **critiques}, abstentions=abstentions)
        case Stage.JUDGE:
            ballots = {(entry.judge, entry.order): entry for entry in given if isinstance(entry, Ballot)}
            return replace(before, ballots=ballots, abstentions=abstentions)
        case _:
            synthesis = next((entry for entry in given if isinstance(entry, Synthesis)), None)
            return replace(before, synthesis=synthesis, abstentions=abstentions)


def drop_uncounted(standing: Standing, counted: frozenset[str]) -> tuple[Standing, int]:
    """Return the standing with only those entries whose keys are counted, and how many were dropped.

    What a ballot or a critique says of a proposal that does not count, does not count either.
    """
    rounds = tuple(
        {name: proposal for name, proposal in written.items() if proposal.key in counted} for written in standing.rounds
    )
    proposals = {name: proposal for written in rounds for name, proposal in written.items()}
    seats = {proposal.seat for proposal in proposals.values()}
    left = replace(
        standing,
        rounds=rounds,
        proposals=proposals,
        critiques={
            place: critique
            for place, critique in standing.critiques.items()
            if critique.key in counted and critique.texts.keys() <= proposals.keys()
        },
        ballots={
            place: ballot
            for place, ballot in standing.ballots.items()
            if ballot.key in counted
            and ballot.judge in seats
            and {score.proposal for score in ballot.scores} <= proposals.keys()
        },
        synthesis=standing.synthesis if "synthesis" in counted else None,
        abstentions={
            ask: abstention for ask, abstention in standing.abstentions.items() if ask.abstention_key in counted
        },
    )
    return left, sum(1 for _ in standing.list_entries()) - sum(1 for _ in left.list_entries())
