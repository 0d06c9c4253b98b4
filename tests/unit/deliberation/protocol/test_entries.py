import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol.entries import (
    Abstention,
    Ballot,
    Cancel,
    Critique,
    LedgerEntry,
    Outcome,
    Proposal,
    Stage,
    Start,
    Suspend,
    Synthesis,
    Verdict,
    decode_entry,
)
from deliberation.protocol.messages import MalformedMessageError
from unit.deliberation.protocol import strategies
from unit.deliberation.protocol.strategies import fields_of


@given(strategies.entries)
def test_d10_every_ledger_entry_survives_the_wire(entry: LedgerEntry) -> None:
    assert decode_entry(entry.encode()) == entry


@given(strategies.entries)
def test_fields_of_a_newer_peer_are_kept(entry: LedgerEntry) -> None:
    newer = fields_of(entry.encode()) | {"mood": {"good": True}}
    assert fields_of(decode_entry(json.dumps(newer).encode()).encode()) == newer


@given(strategies.entries, st.integers(2, 99) | st.just("1") | st.none())
def test_an_entry_of_another_version_is_refused(entry: LedgerEntry, version: object) -> None:
    with pytest.raises(MalformedMessageError, match="version"):
        decode_entry(json.dumps(fields_of(entry.encode()) | {"version": version}).encode())


def test_an_entry_of_unknown_kind_is_refused() -> None:
    with pytest.raises(MalformedMessageError, match="union_tag_invalid"):
        decode_entry(b'{"version":1,"kind":"poem"}')


def test_a_refusal_tells_where_but_never_what() -> None:
    with pytest.raises(MalformedMessageError) as refused:
        decode_entry(b'{"version":1,"kind":"proposal","seat":{"secret":1},"answer":["hush"]}')
    assert "proposal.seat: string_type" in str(refused.value)
    assert "hush" not in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("score", [0, 6, -1, 2.5, "good"])
def test_a_score_outside_one_to_five_is_refused(score: object) -> None:
    body = {"version": 1, "kind": "ballot", "judge": "a-0", "scores": [{"proposal": "a-1", "criteria": {"c": score}}]}
    with pytest.raises(MalformedMessageError, match="criteria"):
        decode_entry(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        (Start(runner="r", at_ms=1), "start"),
        (Proposal(seat="dev-0", round=2, answer="x"), "proposal.2.dev-0.0"),
        (Start(number=2, runner="r", at_ms=1), "start.2"),
        (Proposal(seat="dev-0", sample=3, answer="x"), "proposal.0.dev-0.3"),
        (Critique(seat="dev-0", round=1, texts={}), "critique.1.dev-0"),
        (Synthesis(seat="dev-0", answer="x"), "synthesis"),
        (Ballot(judge="dev-1", order=1, scores=()), "ballot.0.dev-1.1"),
        (
            Abstention(seat="dev-0", stage=Stage.JUDGE, reason=AbstentionReason.TRUNCATED),
            "abstention.judge.0.dev-0.0",
        ),
        (Cancel(), "cancel"),
        (Suspend(), "suspend"),
        (Suspend(number=2), "suspend.2"),
        (Verdict(outcome=Outcome.CANCELLED, counted=(), decided_at_ms=1), "verdict"),
        (Verdict(number=1, outcome=Outcome.CANCELLED, counted=(), decided_at_ms=1), "verdict.1"),
    ],
)
def test_an_entry_knows_its_place(entry: LedgerEntry, key: str) -> None:
    assert entry.key == key


@given(strategies.entries, strategies.entries)
def test_entries_of_one_place_are_of_one_kind(one: LedgerEntry, other: LedgerEntry) -> None:
    if one.key == other.key:
        assert type(one) is type(other)


@pytest.mark.parametrize(("sample", "name"), [(0, "dev-0"), (2, "dev-0.2")])
def test_a_proposal_goes_by_its_seat_unless_it_is_a_further_sample(sample: int, name: str) -> None:
    assert Proposal(seat="dev-0", sample=sample, answer="x").id == name


def test_a_refusal_names_the_first_five_faults_and_nothing_of_the_content() -> None:
    body = {"kind": "verdict", "outcome": "secret", "counted": ["a", *range(9)], "decided_at_ms": "secret"}
    with pytest.raises(MalformedMessageError) as refused:
        decode_entry(json.dumps(body).encode())
    places = [f"verdict.counted.{place}: string_type" for place in range(1, 5)]
    assert str(refused.value) == "; ".join(["verdict.outcome: enum", *places])
