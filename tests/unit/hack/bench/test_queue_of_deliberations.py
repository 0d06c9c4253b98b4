"""What the journal of a queue keeps, and what is asked."""

import asyncio
from typing import Any

import pytest

from bench.queue_of_deliberations import Journal, council, question, read_turn
from bench.turns import Turn
from deliberation.api.v1alpha1.council import CouncilSpec
from deliberation.api.v1alpha1.deliberation import DeliberationSpec

Body = dict[str, Any]


def seen(name: str, phase: str, **conditions: str) -> Body:
    told = [{"type": kind, "status": status} for kind, status in conditions.items()]
    return {"metadata": {"name": name}, "status": {"phase": phase, "conditions": told}}


async def test_the_first_time_that_something_is_seen_counts() -> None:
    journal = Journal()
    await journal.note(seen("q", "Queued", Admitted="False"))
    assert not journal.admitted
    await journal.note(seen("q", "Deliberating", Admitted="True"))
    first = dict(journal.admitted)
    await journal.note(seen("q", "Succeeded", Admitted="True", Succeeded="True"))
    await journal.note(seen("q", "Succeeded", Admitted="True", Succeeded="True"))
    assert journal.admitted == first
    assert journal.finished["q"] >= first["q"]
    assert not journal.failed


async def test_one_that_did_not_succeed_is_told_by_name() -> None:
    journal = Journal()
    await journal.note(seen("q", "Failed", Succeeded="False"))
    assert journal.failed == ["q"]


async def test_whoever_waits_is_woken_by_the_last_one() -> None:
    journal = Journal()
    waiting = asyncio.create_task(journal.await_finished(2))
    for name in "ab":
        assert not waiting.done()
        await journal.note(seen(name, "Succeeded", Succeeded="True"))
    await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize("is_suspended", [True, False])
def test_what_is_asked_is_valid(*, is_suspended: bool) -> None:
    asked = CouncilSpec.model_validate(council("queue", 15, 100, is_suspended=is_suspended)["spec"])
    assert (asked.suspend, asked.members[0].seats) == (is_suspended, 15)
    assert DeliberationSpec.model_validate(question("q", "queue", 10)["spec"]).priority == 10


def test_a_turn_is_what_the_status_says() -> None:
    status = {"startTime": "1970-01-01T00:01:00Z", "completionTime": "1970-01-01T00:01:02Z"}
    assert read_turn(10, status) == Turn(10, 60, 62)
