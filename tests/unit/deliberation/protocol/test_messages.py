import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.protocol import entries, health, tasks
from deliberation.protocol.entries import (
    Abstention,
    Ballot,
    Cancel,
    Critique,
    Entry,
    Proposal,
    Stage,
    Start,
    Suspend,
    Synthesis,
    Verdict,
    decode_entry,
)
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest
from deliberation.protocol.messages import MalformedMessageError, Message, decode
from deliberation.protocol.tasks import Task
from unit.deliberation.protocol import strategies
from unit.deliberation.protocol.strategies import fields_of

TOP_LEVEL: set[type[Message]] = {Task, Heartbeat, ProbeRequest, ProbeReply}
ENTRIES = {Start, Proposal, Critique, Ballot, Synthesis, Abstention, Cancel, Suspend, Verdict}


@given(strategies.messages)
def test_d10_every_message_survives_the_wire(message: Message) -> None:
    assert decode(type(message), message.encode()) == message


def test_d10_no_message_is_left_out_of_these_tests() -> None:
    versioned = {
        kind
        for module in (entries, health, tasks)
        for kind in vars(module).values()
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
