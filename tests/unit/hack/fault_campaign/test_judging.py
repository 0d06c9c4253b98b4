from dataclasses import replace
from typing import Any

import pytest

from fault_campaign.judging import Batch, Bound, Campaign, judge

Body = dict[str, Any]


def body(
    *, seats: str = "ab", succeeded: str = "True", reason: str = "Succeeded", repeated: int = 0, attempt: int = 0
) -> Body:
    proposals = [{"rank": rank, "seat": seat, "sha256": seat * 4} for rank, seat in enumerate(seats, 1)]
    conditions = [{"type": "Succeeded", "status": succeeded, "reason": reason}]
    return {
        "metadata": {},
        "status": {
            "proposals": proposals,
            "conditions": conditions,
            "usage": {"repeatedCalls": repeated},
            **({"runner": {"attempt": attempt}} if attempt else {}),
        },
    }


BOUND = Bound(asked=3, answered=2)


def batch(*bodies: Body, ledgers: dict[str, dict[str, int]] | None = None, calls: int | None = 18) -> Batch:
    named = {str(number): one for number, one in enumerate(bodies)}
    return Batch(named, ledgers or {name: {"start": 1} for name in named}, 3.0, "head", len(named), calls)


CALM = batch(body(), body(seats="ba"))


def test_a_batch_that_came_to_the_same_is_without_fault() -> None:
    found = judge(batch(body(repeated=2), body(seats="ba"), calls=20), CALM, BOUND)
    assert (found.faults, found.repeated, found.answered_again) == ((), 2, 2)


@pytest.mark.parametrize(
    ("struck", "fault"),
    [
        (batch(body(seats="ba"), body(seats="ba")), "0 has another ranking"),
        (batch(body(succeeded="False", reason="NoQuorum"), body(seats="ba")), "0 ended as NoQuorum"),
        (batch(body(repeated=4), body(seats="ba")), "0 repeated 4 calls, with at most 3 in flight"),
        (batch(body(), body(seats="ba"), calls=23), "the model answered 5 calls again, with at most 4 in flight"),
        (
            batch(body(), body(seats="ba"), ledgers={"0": {"verdict": 2, "start": 1}, "1": {"start": 1}}),
            "0 has verdict twice in its ledger",
        ),
        (batch(body(), body(seats="ba"), ledgers={"1": {"start": 1}}), "0 has no ledger"),
        (batch(body()), "1 is missing"),
        (replace(batch(body(), body(seats="ba")), unfinished=0), "all had ended before it was struck"),
    ],
)
def test_whatever_differs_is_told(struck: Batch, fault: str) -> None:
    assert judge(struck, CALM, BOUND).faults == (fault,)


@pytest.mark.parametrize("calls", [None, 17])
def test_a_model_that_was_killed_cannot_tell_what_it_has_answered(calls: int | None) -> None:
    assert judge(batch(body(), body(seats="ba"), calls=calls), CALM, BOUND).answered_again is None


OWN = replace(BOUND, attempts=2)


def test_the_attempts_are_those_that_the_statuses_count() -> None:
    struck = replace(batch(body(attempt=2), body(seats="ba", attempt=1)), attempts={"0": 2, "1": 1})
    found = judge(struck, CALM, OWN)
    assert (found.faults, found.attempts) == ((), 3)


@pytest.mark.parametrize(
    ("counted", "last", "bound", "fault"),
    [
        (1, 2, OWN, "0 counts 1 attempts, and its last RayJob was number 2"),
        (3, 3, OWN, "0 took 3 attempts, with at most 2 to be expected"),
        (0, 0, OWN, "0 took 0 attempts, with at most 2 to be expected"),
        (1, 1, BOUND, "0 took 1 attempts, with at most 0 to be expected"),
    ],
)
def test_attempts_that_are_miscounted_or_too_many_are_told(counted: int, last: int, bound: Bound, fault: str) -> None:
    struck = replace(batch(body(attempt=counted)), attempts={"0": last} if last else {})
    assert judge(struck, batch(body()), bound).faults == (fault,)


def test_the_table_of_runners_of_one_question_has_their_attempts_last() -> None:
    campaign = Campaign(CALM, seed=1, bounds={"head": OWN})
    campaign.batches = [replace(batch(body(attempt=2), body(seats="ba", attempt=1)), attempts={"0": 2, "1": 1})]
    header, rule, row = campaign.tabulate({"head": ("kill", "calls")}).splitlines()
    assert header.endswith("| slowest batch | attempts |")
    assert header.count("|") == rule.count("|") == row.count("|") == 12
    assert row.endswith("| 3 s | 3 |")


def test_the_table_has_one_row_for_each_kind_of_fault() -> None:
    campaign = Campaign(CALM, seed=1, bounds={"head": BOUND})
    campaign.batches = [
        batch(body(repeated=2), body(seats="ba"), calls=20),
        batch(body(succeeded="False", seats=""), body(seats="ba")),
    ]
    header, rule, row = campaign.tabulate({"head": ("kill -9 of the head pod", "all calls")}).splitlines()
    assert header.count("|") == rule.count("|") == row.count("|") == 11
    assert row == "| kill -9 of the head pod | all calls | 2 | 4 | 3 | 3 | 0 | 2 | 2 | 3 s |"
    campaign.batches.append(batch(body(), body(seats="ba"), calls=None))
    assert campaign.tabulate({"head": ("kill", "calls")}).endswith("| 2 | not known | 3 s |")
    assert campaign.list_faults() == ["head: 0 ended as Succeeded"]
