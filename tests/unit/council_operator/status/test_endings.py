import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol.entries import Outcome, Proposal, Verdict
from fakes.bodies import NOW_MS, ready_council
from fakes.fake_world import abstain, conditions_of
from unit.council_operator.status.questions import message_of, status_of, world_of


@pytest.mark.parametrize(
    ("outcome", "phase", "text"),
    [
        (Outcome.NO_QUORUM, "Failed", "a quorum of 2 was asked for"),
        (Outcome.NO_BALLOTS, "Failed", "no judge gave a usable ballot"),
        (Outcome.TIMED_OUT, "Failed", "the 60 s since its admission ran out: raise timeoutSeconds"),
        (Outcome.CANCELLED, "Cancelled", "cancelled; what there was is kept"),
    ],
)
def test_other_ends_are_failures_with_a_reason_and_numbers(outcome: Outcome, phase: str, text: str) -> None:
    world = world_of(ready_council())
    proposal, silent = Proposal(seat="dev-0", answer="x"), abstain("dev-1", AbstentionReason.MODEL_UNAVAILABLE)
    counted = (proposal.key, silent.key)
    entries = (proposal, silent, Verdict(outcome=outcome, counted=counted, decided_at_ms=NOW_MS))
    for entry in entries:
        world.write_entry("uid-q1", entry)
    world.reconcile_deliberation("q1")
    conditions = conditions_of(world.deliberations["q1"])
    assert status_of(world)["phase"] == phase
    assert conditions["Succeeded"] == ("False", outcome.value)
    assert conditions["Ready"] == ("False", outcome.value)
    assert conditions["Stalled"] == ("True", outcome.value)
    assert conditions["Reconciling"] == ("False", outcome.value)
    assert text in message_of(world, "Succeeded")
    assert "1 of 3 seats proposed;" in message_of(world, "Succeeded")
    assert "abstentions: 1 ModelUnavailable" in message_of(world, "Succeeded")
