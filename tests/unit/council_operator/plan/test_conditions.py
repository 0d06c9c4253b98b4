import pytest

from council_operator.plan.conditions import find_condition, has_condition

READY = {"type": "Ready", "status": "False", "reason": "Warming"}
BODY = {"status": {"conditions": [{"type": "Stalled", "status": "True"}, READY]}}


def test_a_condition_is_found_by_its_type() -> None:
    assert find_condition(BODY, "Ready") == READY


@pytest.mark.parametrize("body", [{}, {"status": {}}, {"status": {"conditions": []}}, BODY])
def test_what_is_not_there_is_empty_and_has_no_status(body: dict[str, object]) -> None:
    assert find_condition(body, "Admitted") == {}
    assert not [status for status in ("True", "False", "Unknown") if has_condition(body, "Admitted", status)]


def test_a_condition_has_the_status_that_it_has() -> None:
    assert has_condition(BODY, "Stalled")
    assert has_condition(BODY, "Ready", "False")
    assert not has_condition(BODY, "Ready")
