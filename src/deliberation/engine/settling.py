"""What a verdict leaves of a standing."""

from deliberation.engine.standing import Standing


def drop_uncounted(standing: Standing, counted: frozenset[str]) -> tuple[Standing, int]:
    """Return the standing with only those entries whose keys are counted, and how many were dropped.

    What a ballot or a critique says of a proposal that does not count, does not count either.
    """
    rounds = tuple(
        {name: proposal for name, proposal in written.items() if proposal.key in counted} for written in standing.rounds
    )
    proposals = {name: proposal for written in rounds for name, proposal in written.items()}
    seats = {proposal.seat for proposal in proposals.values()}
    left = standing._replace(
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
