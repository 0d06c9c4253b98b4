from deliberation.engine.votes import count_answers, list_votes
from unit.deliberation.engine.scripted import build_vote, propose


def test_every_proposal_is_a_vote_of_its_seat() -> None:
    task = build_vote(2)
    proposals = {"s-0": propose("s-0", "left"), "s-1": propose("s-1", "left")}
    assert [(vote.seat, vote.answer) for vote in list_votes(task, proposals)] == [("s-0", "left"), ("s-1", "left")]
    [cluster] = count_answers(task, proposals)
    assert (cluster.answer, cluster.seats) == ("left", ("s-0", "s-1"))
