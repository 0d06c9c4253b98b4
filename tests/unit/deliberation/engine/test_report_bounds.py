"""However much is written, a report is bounded."""

import json
from hashlib import sha256
from itertools import product
from typing import Any

import pytest

from deliberation.api.v1alpha1.deliberation import Criterion
from deliberation.api.v1alpha1.deliberation_record import MAX_MODEL_RECORDS
from deliberation.api.v1alpha1.deliberation_result import MAX_RATIONALE_BYTES
from deliberation.api.v1alpha1.deliberation_status import DeliberationStatus
from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.api.v1alpha1.strategy import Aggregation
from deliberation.engine.asks import Ask
from deliberation.engine.report import MAX_REPORT_BYTES, Report, report
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Abstention, Stage, Synthesis
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, SeatTask, Task
from unit.deliberation.engine.scripted import (
    ballot,
    build_task,
    propose,
)
from unit.deliberation.engine.test_fold import all_proposals
from unit.deliberation.engine.test_report import BALLOTS, PANEL, report_on, verdict_on


def longest_id(number: int) -> str:
    return f"{'m' * 40}-{number}"


def worst_task(strategy: ResolvedStrategy, character: str) -> Task:
    """Return a task of 64 seats, 16 models or adapters and eight criteria, with every name as long as it may be."""
    names = [f"{'n' * 40}/{i:022}" for i in range(MAX_MODEL_RECORDS)]
    seats = tuple(
        SeatTask(id=longest_id(i), member="m" * 40, role="QA", model=names[i % MAX_MODEL_RECORDS]) for i in range(64)
    )
    models = tuple(
        ModelAddress(name=name, base_url="u", model_name=character * 256, revision="r" * 128) for name in names
    )
    criteria = tuple(Criterion(name=f"{i}{'c' * 39}", weight_milli=i + 1) for i in range(8))
    fields: dict[str, Any] = {"models": models, "criteria": criteria, "top_k": 10, "quorum": 1}
    return build_task(64, strategy, **fields).model_copy(update={"seats": seats})


@pytest.mark.parametrize("character", ['"', "é", "😀"])
@pytest.mark.parametrize("strategy", list(ResolvedStrategy))
@pytest.mark.parametrize("abstaining", [0, 32, 60])
def test_a_report_is_bounded_whatever_the_models_write(
    strategy: ResolvedStrategy, character: str, abstaining: int
) -> None:
    task = worst_task(strategy, character)
    proposing = [seat.id for seat in task.seats][abstaining:]
    text = "x" + character * (65_536 // len(character.encode()))
    proposals = [
        propose(seat, f"{n}{text}x").model_copy(update={"rationale": character * 4096, "cut_off": True})
        for n, seat in enumerate(proposing)
    ]
    gone = [
        Abstention(
            seat=seat.id, stage=Stage.PROPOSE, reason=AbstentionReason.MODEL_UNAVAILABLE, message=character * 4096
        )
        for seat in task.seats[:abstaining]
    ]
    scores = {seat: {criterion.name: 3 for criterion in task.criteria} for seat in proposing[1:]}
    judging = [ballot(proposing[0], scores)] if strategy is ResolvedStrategy.PANEL else []
    silent = [
        Abstention(seat=seat, stage=Stage.JUDGE, reason=AbstentionReason.MODEL_UNAVAILABLE, message=4096 * character)
        for seat in (proposing[1:] if judging else ())
    ]
    told = report_on(task, *proposals, *gone, *judging, *silent)
    assert told.json_bytes <= MAX_REPORT_BYTES
    assert told.result is not None
    assert told.result.tied
    assert len(told.proposals) >= 3
    for place in told.proposals:
        whole = f"{proposing.index(place.seat)}{text}x"
        assert whole.startswith(place.answer)
        assert len(place.answer.encode()) >= 100
        assert place.truncated
        assert place.sha256 == sha256(whole.encode()).hexdigest()
    told_gone = len(told.votes.abstentions) if told.votes else 0
    assert told.progress.abstentions == len(gone) + len(silent)
    assert min(told.progress.abstentions, 24) <= told_gone
    assert len(told.dissent) == min(64, len(told.dissent) and len(proposing) - 1)
    assert len(told.reproducibility.models) == MAX_MODEL_RECORDS
    fields = {field: getattr(told, field) for field in Report.__dataclass_fields__}
    body = DeliberationStatus(**fields).to_json()
    assert len(json.dumps(body, ensure_ascii=False).encode()) < 30 * 1024


def crowded_standing(task: Task, character: str) -> Standing:
    """Return a standing in which every place is taken, and every text long and different: more than a run can write."""
    text = character * 2048
    proposals = {
        entry.id: entry
        for n, (seat, sample) in enumerate(product(task.seats, range(task.samples)))
        for entry in [
            propose(seat.id, f"{n}{text}").model_copy(
                update={"sample": sample, "round": task.rounds, "rationale": f"{n} {text}", "cut_off": True}
            )
        ]
    }
    rotating = {
        (judge.id, order): ballot(
            judge.id,
            {
                name: 1 + (place + number * (1 - 2 * order)) % 5
                for place, (name, proposal) in enumerate(proposals.items())
                if proposal.seat != judge.id
            },
            task,
        ).model_copy(update={"order": order})
        for number, judge in enumerate(task.seats)
        for order in range(2)
    }
    abstentions = {
        Ask(stage, seat.id, number, turn): Abstention(
            seat=seat.id, stage=stage, round=number, turn=turn, reason=reason, message=text
        )
        for seat in task.seats
        for stage in Stage
        for number in range(3)
        for turn, reason in enumerate((AbstentionReason.BUDGET_EXHAUSTED, AbstentionReason.NOT_NEEDED))
    }
    return Standing(
        proposals=proposals,
        rounds=(proposals, proposals),
        ballots=rotating,
        synthesis=Synthesis(seat=task.seats[0].id, answer=text, rationale=text, cut_off=True),
        abstentions=abstentions,
        verdict=verdict_on(),
    )


@pytest.mark.parametrize("character", ['"', "😀", "w "])
@pytest.mark.parametrize("strategy", list(ResolvedStrategy))
@pytest.mark.parametrize(("seats", "samples"), [(64, 1), (4, 16)])
def test_a_report_on_more_than_a_run_can_write_is_bounded_too(
    strategy: ResolvedStrategy, character: str, seats: int, samples: int
) -> None:
    worst = worst_task(strategy, character)
    changes = {"samples": samples, "orders": 2, "aggregation": Aggregation.KEMENY, "synthesiser": longest_id(0)}
    task = worst.model_copy(update={**changes, "seats": worst.seats[:seats]})
    told = report(task, crowded_standing(task, character))
    assert told.json_bytes <= MAX_REPORT_BYTES
    assert told.result is not None
    assert told.result.synthesised
    assert len(told.proposals) >= 3
    assert told.votes is not None
    assert len(told.votes.abstentions) >= 24
    assert all(len(warning) <= 256 for warning in told.warnings)
    positions = sum(dissent.proposals for dissent in told.dissent)
    assert positions <= 63
    assert told.diversity is not None
    assert len(told.dissent) == told.diversity.clusters - 1
    fields = {field: getattr(told, field) for field in Report.__dataclass_fields__}
    DeliberationStatus(**fields)


def test_an_ordinary_report_shows_answers_of_2_kib_in_full() -> None:
    answer = "é" * 1024
    told = report_on(PANEL, propose("s-0", answer), propose("s-1", answer + "é"), propose("s-2", "c"), *BALLOTS)
    shown = {place.seat: (place.answer, place.truncated) for place in told.proposals}
    assert shown["s-0"] == (answer, False)
    assert shown["s-1"] == (answer, True)


def test_the_size_is_that_of_the_status_parts() -> None:
    told = report_on(PANEL, *all_proposals(), *BALLOTS)
    fields = {field: getattr(told, field) for field in Report.__dataclass_fields__}
    size = len(json.dumps(DeliberationStatus(**fields).to_json(), separators=(",", ":")).encode())
    assert told.json_bytes <= size <= told.json_bytes + 400


def test_a_report_that_could_not_fit_is_the_poorest_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deliberation.engine.report.MAX_REPORT_BYTES", 0)
    model = ModelAddress(name="small", base_url="u", model_name="m" * 99)
    task = build_task(40, models=(model,), top_k=10)
    gone = [
        Abstention(seat=f"s-{i}", stage=Stage.PROPOSE, reason=AbstentionReason.TRUNCATED, message="why" * 9)
        for i in range(10, 40)
    ]
    proposals = [propose(f"s-{i}", str(i) * 600).model_copy(update={"rationale": "r" * 600}) for i in range(10)]
    told = report_on(task, *proposals, *gone)
    assert told.result is not None
    assert (len(told.result.answer), len(told.result.rationale)) == (512, 512)
    assert [(len(place.answer), place.model) for place in told.proposals] == [(128, "m" * 24)] * 3
    assert told.votes is not None
    assert [gone.message for gone in told.votes.abstentions] == ["whywhywhywhywhyw"] * 24
    assert {(len(dissent.position), len(dissent.reason), len(dissent.seats)) for dissent in told.dissent} == {(8, 8, 1)}
    assert [record.model for record in told.reproducibility.models] == ["m" * 24]


def test_the_richest_report_that_fits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = tuple(propose(f"s-{i}", str(i) * 2000) for i in range(3))
    richest = report_on(PANEL, *entries)
    assert [len(place.answer) for place in richest.proposals] == [2000] * 3
    monkeypatch.setattr("deliberation.engine.report.MAX_REPORT_BYTES", richest.json_bytes)
    assert report_on(PANEL, *entries) == richest
    monkeypatch.setattr("deliberation.engine.report.MAX_REPORT_BYTES", richest.json_bytes - 1)
    assert [len(place.answer) for place in report_on(PANEL, *entries).proposals] == [1024] * 3


def test_the_reasons_of_a_result_are_bounded_too() -> None:
    told = report_on(PANEL, propose("s-0").model_copy(update={"rationale": "r" * 5000}))
    assert told.result is not None
    assert len(told.result.rationale) == MAX_RATIONALE_BYTES


def test_the_size_of_a_report_is_in_bytes_of_compact_json() -> None:
    told = report_on(PANEL, propose("s-0", "é"), propose("s-1", "bb"))
    body = [getattr(told, field) for field in Report.__dataclass_fields__]
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=lambda part: part.to_json())
    assert told.json_bytes == len(text.encode())
    assert "é" in text
