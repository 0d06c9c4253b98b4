import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol import messages
from deliberation.protocol.messages import (
    Abstention,
    Ballot,
    Cancel,
    Critique,
    Entry,
    Heartbeat,
    LedgerEntry,
    MalformedMessageError,
    Message,
    ProbeReply,
    ProbeRequest,
    Proposal,
    Stage,
    Start,
    Suspend,
    Synthesis,
    Task,
    Verdict,
    decode,
    decode_entry,
)
from unit.deliberation.protocol import strategies

TOP_LEVEL: set[type[Message]] = {Task, Heartbeat, ProbeRequest, ProbeReply}
ENTRIES = {Start, Proposal, Critique, Ballot, Synthesis, Abstention, Cancel, Suspend, Verdict}


def fields_of(data: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(data)
    return body


@given(strategies.messages)
def test_d10_every_message_survives_the_wire(message: Message) -> None:
    assert decode(type(message), message.encode()) == message


@given(strategies.entries)
def test_d10_every_ledger_entry_survives_the_wire(entry: LedgerEntry) -> None:
    assert decode_entry(entry.encode()) == entry


def test_d10_no_message_is_left_out_of_these_tests() -> None:
    versioned = {
        kind
        for kind in vars(messages).values()
        if isinstance(kind, type) and issubclass(kind, Message) and "version" in kind.model_fields
    }
    assert versioned == TOP_LEVEL | ENTRIES | {Entry}


@given(strategies.tasks)
def test_equal_messages_are_equal_bytes(task: Task) -> None:
    shuffled = dict(reversed(fields_of(task.encode()).items()))
    assert decode(Task, json.dumps(shuffled, indent=1).encode()).encode() == task.encode()


def test_bytes_are_compact_sorted_and_readable_and_leave_out_what_is_not_there() -> None:
    heard = Heartbeat.model_validate({"seats": {"u-2": 1, "u-1": 2}, "runner": "Größe", "running": 1, "mood": None})
    text = '{"rejected":{},"runner":"Größe","running":1,"seats":{"u-1":2,"u-2":1},"strained":[],"version":1}'
    assert heard.encode() == text.encode()
    abstention = Abstention(seat="a-0", stage=Stage.JUDGE, reason=AbstentionReason.TRUNCATED)
    assert fields_of(abstention.encode()).items() >= {"stage": "judge", "reason": "Truncated"}.items()


@given(strategies.entries)
def test_fields_of_a_newer_peer_are_kept(entry: LedgerEntry) -> None:
    newer = fields_of(entry.encode()) | {"mood": {"good": True}}
    assert fields_of(decode_entry(json.dumps(newer).encode()).encode()) == newer


@given(strategies.entries, st.integers(2, 99) | st.just("1") | st.none())
def test_an_entry_of_another_version_is_refused(entry: LedgerEntry, version: object) -> None:
    with pytest.raises(MalformedMessageError, match="version"):
        decode_entry(json.dumps(fields_of(entry.encode()) | {"version": version}).encode())


@given(strategies.messages)
def test_a_message_of_another_version_is_refused(message: Message) -> None:
    with pytest.raises(MalformedMessageError, match="version"):
        decode(type(message), json.dumps(fields_of(message.encode()) | {"version": 2}).encode())


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_bytes_that_are_no_message_are_refused(data: bytes) -> None:
    for kind in TOP_LEVEL:
        with pytest.raises(MalformedMessageError):
            decode(kind, data)
    with pytest.raises(MalformedMessageError):
        decode_entry(data)


def test_an_entry_of_unknown_kind_is_refused() -> None:
    with pytest.raises(MalformedMessageError, match="union_tag_invalid"):
        decode_entry(b'{"version":1,"kind":"poem"}')


def test_a_refusal_tells_where_but_never_what() -> None:
    with pytest.raises(MalformedMessageError) as refused:
        decode_entry(b'{"version":1,"kind":"proposal","seat":{"secret":1},"answer":["hush"]}')
    assert "proposal.seat: string_type" in str(refused.value)
    assert "hush" not in str(refused.value)
    assert "secret" not in str(refused.value)


@given(strategies.tasks)
def test_d2_a_task_says_how_many_seats_answer(task: Task) -> None:
    body = fields_of(task.encode())
    assert len(body["seats"]) == len(task.seats) >= 1
    with pytest.raises(MalformedMessageError, match="seats"):
        decode(Task, json.dumps(body | {"seats": []}).encode())
    with pytest.raises(MalformedMessageError, match="seats: missing"):
        decode(Task, json.dumps({name: body[name] for name in body if name != "seats"}).encode())


@given(strategies.tasks)
def test_a_task_ends_its_timeout_after_its_start(task: Task) -> None:
    assert task.deadline_ms == task.started_at_ms + task.timeout_ms


@given(strategies.tasks)
def test_a_task_carries_no_key(task: Task) -> None:
    fields = {field for model in fields_of(task.encode())["models"] for field in model}
    assert fields <= {"name", "baseUrl", "modelName", "apiKeyFile", "tellsLoad", "revision", "simulated"}


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
        (Verdict(outcome=messages.Outcome.CANCELLED, counted=(), decided_at_ms=1), "verdict"),
        (Verdict(number=1, outcome=messages.Outcome.CANCELLED, counted=(), decided_at_ms=1), "verdict.1"),
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


def test_a_task_that_says_nothing_of_newer_fields_is_read_as_before() -> None:
    plain = {
        "version": 1, "namespace": "n", "deliberationUid": "u", "deliberationName": "d", "councilUid": "c",
        "councilName": "c", "question": "?", "criteria": [], "strategy": "Panel", "quorum": 1, "startedAtMs": 0,
        "timeoutMs": 1, "seats": [{"id": "a-0", "member": "a", "role": "QA", "model": "m"}],
        "models": [{"name": "m", "baseUrl": "u", "modelName": "m"}],
    }  # fmt: skip
    task = decode(Task, json.dumps(plain).encode())
    assert (task.rounds, task.samples, task.orders, task.stop.value) == (1, 1, 1, "None")
    assert (task.synthesiser, task.budget_tokens, task.keep_if_majority) == (None, None, True)


def test_a_refusal_names_the_first_five_faults_and_nothing_of_the_content() -> None:
    body = {"kind": "verdict", "outcome": "secret", "counted": ["a", *range(9)], "decided_at_ms": "secret"}
    with pytest.raises(MalformedMessageError) as refused:
        decode_entry(json.dumps(body).encode())
    places = [f"verdict.counted.{place}: string_type" for place in range(1, 5)]
    assert str(refused.value) == "; ".join(["verdict.outcome: enum", *places])
