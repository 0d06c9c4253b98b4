"""Reading never raises, whatever the bytes are."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.bus.records import build_record, call_back, find_task_in
from deliberation.protocol import subjects
from deliberation.protocol.entries import Cancel
from deliberation.protocol.messages import MalformedMessageError
from deliberation.protocol.subjects import Run

RUN = Run("team", "uid")


@given(st.binary())
def test_any_bytes_are_a_record_and_perhaps_a_task(data: bytes) -> None:
    record = build_record(7, subjects.entry(RUN, "cancel"), data)
    assert (record.sequence, record.key) == (7, "cancel")
    assert find_task_in(data) is None


def test_an_entry_is_read_with_its_key() -> None:
    assert build_record(1, subjects.entry(RUN, "ballot.0.qa-0.1"), Cancel().encode()).key == "ballot.0.qa-0.1"
    assert build_record(1, subjects.entry(RUN, "cancel"), Cancel().encode()).entry == Cancel()


@pytest.mark.parametrize("fault", [MalformedMessageError("runner: missing"), RuntimeError("a bug")])
def test_a_watcher_that_fails_is_logged_and_no_more(fault: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise fault

    with caplog.at_level(logging.WARNING):
        call_back(fail, "council.v1.team.heartbeat.runner-0")
    assert "council.v1.team.heartbeat.runner-0" in caplog.text
