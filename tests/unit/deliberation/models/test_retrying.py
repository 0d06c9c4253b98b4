"""Pauses grow, stay bounded, differ between seats, and heed the server."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.models.retrying import LONGEST_PAUSE_SECONDS, choose_pause_seconds, read_retry_after


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_is_bounded(tries: int, drawn: float) -> None:
    assert 0.125 <= choose_pause_seconds(tries, None, drawn) <= LONGEST_PAUSE_SECONDS


@given(st.integers(1, 100), st.floats(0, 3600), st.floats(0, 1))
def test_no_pause_is_shorter_than_the_server_asks(tries: int, asked: float, drawn: float) -> None:
    assert choose_pause_seconds(tries, asked, drawn) >= asked


def test_seats_that_failed_together_come_back_apart() -> None:
    assert choose_pause_seconds(3, None, 0.0) == 0.5
    assert choose_pause_seconds(3, None, 1.0) == 1.0


@given(st.text())
def test_whatever_a_header_says_asks_for_no_less_than_nothing(value: str) -> None:
    seconds = read_retry_after(value)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("\N{SUPERSCRIPT TWO}", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 12:00:30", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 13:00:30 +0100", 30.0),
        ("Sun, 22 Nov 2026 12:00:30 +9999", None),
        ("Sunday, 22-Nov-26 12:00:30 GMT", 30.0),
        ("Sun Nov 22 12:00:30 2026", 30.0),
    ],
)
def test_retry_after_is_read(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value, datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)) == seconds
