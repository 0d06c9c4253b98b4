import pytest
from hypothesis import given
from hypothesis import strategies as st

from council_operator.status.conditions import Finding, format_time, merge, shorten
from fakes.bodies import NOW_MS


def test_a_first_condition_has_the_time_of_now() -> None:
    (condition,) = merge({}, [Finding("Ready", status=None, reason="Pending", message="m")], 3, NOW_MS)
    assert condition.to_json() == {
        "type": "Ready",
        "status": "Unknown",
        "reason": "Pending",
        "message": "m",
        "lastTransitionTime": "2026-09-21T14:13:20Z",
        "observedGeneration": 3,
    }


@given(
    before=st.sampled_from([True, False, None]), after=st.sampled_from([True, False, None]), seconds=st.integers(1, 9)
)
def test_the_time_changes_with_the_status_and_only_then(
    *, before: bool | None, after: bool | None, seconds: int
) -> None:
    (old,) = merge({}, [Finding("Ready", status=before, reason="A")], 1, NOW_MS)
    later = NOW_MS + seconds * 1000
    (new,) = merge({"conditions": [old.to_json()]}, [Finding("Ready", status=after, reason="B", message="n")], 2, later)
    assert (new.last_transition_time == old.last_transition_time) == (before == after)
    assert (new.reason, new.message, new.observed_generation) == ("B", "n", 2)


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [("as it is", 8, "as it is"), ("a longer text", 8, "a longe…"), (" two\n lines\t", 20, "two lines"), ("", 5, "")],
)
def test_texts_are_short_and_on_one_line(text: str, limit: int, short: str) -> None:
    assert shorten(text, limit) == short


def test_times_are_in_utc_and_whole_seconds() -> None:
    assert format_time(NOW_MS + 999) == "2026-09-21T14:13:20Z"
