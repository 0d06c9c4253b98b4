from typing import Any

import pytest

from fault_campaign.judging import LARGEST_WAVE, Batch, Campaign, judge

Body = dict[str, Any]


def body(*, seats: str = "ab", succeeded: str = "True", reason: str = "Succeeded", repeated: int = 0) -> Body:
    proposals = [{"rank": rank, "seat": seat, "sha256": seat * 4} for rank, seat in enumerate(seats, 1)]
    conditions = [{"type": "Succeeded", "status": succeeded, "reason": reason}]
    return {
        "metadata": {},
        "status": {"proposals": proposals, "conditions": conditions, "usage": {"repeatedCalls": repeated}},
    }


def batch(*bodies: Body, ledgers: dict[str, dict[str, int]] | None = None) -> Batch:
    named = {str(number): one for number, one in enumerate(bodies)}
    return Batch(named, ledgers or {name: {"start": 1} for name in named}, 3.0, "head", len(named))


CALM = batch(body(), body(seats="ba"))


def test_a_batch_that_came_to_the_same_is_without_fault() -> None:
    found = judge(batch(body(repeated=2), body(seats="ba")), CALM)
    assert (found.faults, found.repeated, found.most_repeated) == ((), 2, 2)


@pytest.mark.parametrize(
    ("struck", "fault"),
    [
        (batch(body(seats="ba"), body(seats="ba")), "0 has another ranking"),
        (batch(body(succeeded="False", reason="NoQuorum"), body(seats="ba")), "0 ended as NoQuorum"),
        (batch(body(repeated=LARGEST_WAVE + 1), body(seats="ba")), "0 repeated 7 calls"),
        (
            batch(body(), body(seats="ba"), ledgers={"0": {"verdict": 2, "start": 1}, "1": {"start": 1}}),
            "0 has verdict twice in its ledger",
        ),
        (batch(body(), body(seats="ba"), ledgers={"1": {"start": 1}}), "0 has no ledger"),
        (batch(body()), "1 is missing"),
    ],
)
def test_whatever_differs_is_told(struck: Batch, fault: str) -> None:
    assert judge(struck, CALM).faults == (fault,)


def test_the_table_has_one_row_for_each_kind_of_fault() -> None:
    campaign = Campaign(CALM, seed=1)
    campaign.batches = [
        batch(body(repeated=2), body(seats="ba")),
        batch(body(succeeded="False", seats=""), body(seats="ba")),
    ]
    header, rule, row = campaign.tabulate({"head": ("kill -9 of the head pod", "all calls")}).splitlines()
    assert header.count("|") == rule.count("|") == row.count("|") == 10
    assert row == "| kill -9 of the head pod | all calls | 2 | 4 | 3 | 3 | 0 | 2 | 3 s |"
