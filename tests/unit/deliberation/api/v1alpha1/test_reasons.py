import re

import pytest

from deliberation.api.v1alpha1.reasons import AbstentionReason, Reason


@pytest.mark.parametrize("reason", [*Reason, *AbstentionReason])
def test_a_reason_is_one_that_a_condition_may_have(reason: str) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]{0,63}", reason)


@pytest.mark.parametrize(
    "reason", [*Reason, *AbstentionReason], ids=lambda reason: f"{type(reason).__name__}.{reason.name}"
)
def test_a_reason_is_written_as_it_is_called(reason: Reason | AbstentionReason) -> None:
    assert reason.value.lower() == reason.name.replace("_", "").lower()
