"""Whole runs: the engine driven to its end by scripted replies, killed and cancelled at every point."""

from collections.abc import Mapping

import pytest

from deliberation.api.v1alpha1.strategy import Stop, Topology
from deliberation.engine.asks import Ask
from deliberation.engine.fold import fold
from deliberation.engine.report import Report, report
from deliberation.protocol.entries import Cancel, Outcome, Proposal, Stage, Start
from deliberation.protocol.tasks import ResolvedStrategy, Task
from unit.deliberation.engine.scripted import (
    CHOICE,
    DEADLINE_MS,
    START_MS,
    Answered,
    Driver,
    Ledger,
    Script,
    build_task,
    build_vote,
    criticise_all,
    score_by_length,
)


def five_answers(ask: Ask, listing: Mapping[str, Proposal]) -> Answered | None:
    """Seats answer with as many letters as their number says, later the higher it is; the last says nothing usable."""
    number = int(ask.seat.removeprefix("s-"))
    if ask.stage is Stage.JUDGE:
        return score_by_length(ask, listing, after_ms=10 * number)
    return Answered("x" * (number + ask.turn), after_ms=100 * number)


def five_choices(ask: Ask, _: Mapping[str, Proposal]) -> Answered | None:
    choices = ("left", "right", "left", "sideways", "left")
    return Answered(f'{{"rationale": "so", "answer": "{choices[int(ask.seat[-1])]}"}}')


def talk(ask: Ask, listing: Mapping[str, Proposal]) -> Answered | None:
    """Seats criticise every answer, and write one letter more each time; one revision says nothing usable."""
    match ask.stage:
        case Stage.CRITIQUE:
            return criticise_all(ask, listing)
        case Stage.JUDGE:
            return score_by_length(ask, listing)
        case Stage.SYNTHESISE:
            return Answered("".join(proposal.answer for proposal in listing.values()))
        case _:
            number = int(ask.seat.removeprefix("s-"))
            return Answered("" if (ask.round, number) == (1, 2) else "x" * (1 + number + ask.round))


def follow_the_first(ask: Ask, listing: Mapping[str, Proposal]) -> Answered | None:
    """In a debate of five, everybody comes round to what the first answer in view says."""
    answer = next(iter(listing.values())).answer if listing else ("up", "left", "left", "up", "down")[int(ask.seat[-1])]
    return Answered(f'{{"rationale": "so", "answer": "{answer}"}}')


RUNS: dict[str, tuple[Task, Script]] = {
    "panel": (build_task(5), five_answers),
    "panel of two orders and samples": (build_task(3, orders=2, samples=2), five_answers),
    "panel with synthesis": (build_task(4, synthesiser="s-1"), talk),
    "vote": (build_vote(5), five_choices),
    "vote of samples": (build_vote(5, samples=3), five_choices),
    "vote that stops": (build_vote(5, stop=Stop.UNASSAILABLE), five_choices),
    "critique": (build_task(4, ResolvedStrategy.CRITIQUE, rounds=2, orders=2, synthesiser="s-0"), talk),
    "debate": (build_task(5, ResolvedStrategy.DEBATE, answer=CHOICE, rounds=3), follow_the_first),
    "ring debate": (
        build_task(5, ResolvedStrategy.DEBATE, answer=CHOICE, topology=Topology.RING, keep_if_majority=False),
        follow_the_first,
    ),
    "mixture of agents": (build_task(4, ResolvedStrategy.MIXTURE_OF_AGENTS, rounds=2), talk),
}


def report_of(task: Task, ledger: Ledger) -> Report:
    return report(task, fold(task, ledger.records))


def test_a_panel_comes_to_its_ranking() -> None:
    task, script = RUNS["panel"]
    ledger = Ledger()
    verdict = Driver(task, ledger, script).run()
    assert verdict.outcome is Outcome.SUCCEEDED
    assert verdict.decided_at_ms == START_MS + 400 + 40
    told = report_of(task, ledger)
    assert [(place.seat, place.rank) for place in told.proposals] == [("s-4", 1), ("s-3", 2), ("s-2", 3), ("s-1", 4)]
    assert told.result is not None
    assert (told.result.answer, told.result.tied) == ("xxxx", False)
    assert told.agreement is not None
    assert told.agreement.kendall_w_milli == 1000
    assert told.usage.calls == 5 + 4
    assert told.warnings[1] == "QuorumPartial: 1 of 5 seats gave no proposal"


def test_a_vote_comes_to_its_answer() -> None:
    task, script = RUNS["vote"]
    ledger = Ledger()
    assert Driver(task, ledger, script).run().outcome is Outcome.SUCCEEDED
    told = report_of(task, ledger)
    assert told.result is not None
    assert (told.result.answer, told.result.proposal_id, told.result.rationale) == ("left", "s-0", "so")
    assert told.votes is not None
    assert [(count.answer, count.seats) for count in told.votes.counts] == [("left", 3), ("right", 1)]
    assert [(gone.seat, gone.reason) for gone in told.votes.abstentions] == [("s-3", "MalformedAnswer")]


@pytest.mark.parametrize("name", RUNS)
def test_two_runs_one_after_the_other_both_complete(name: str) -> None:
    """Ancestor's defect D1: after the first completion everything froze."""
    task, script = RUNS[name]
    first, second = Ledger(), Ledger()
    assert Driver(task, first, script).run() == Driver(task, second, script).run()
    assert first.records == second.records


@pytest.mark.parametrize("writes_per_life", [1, 2, 3, 5])
@pytest.mark.parametrize("name", RUNS)
def test_a_driver_that_dies_after_every_few_writes_comes_to_the_same_result(name: str, writes_per_life: int) -> None:
    task, script = RUNS[name]
    script = without_delay(script)
    undisturbed, disturbed = Ledger(), Ledger()
    Driver(task, undisturbed, script).run()
    driver = Driver(task, disturbed, script)
    driver.run_in_spite_of_crashes(writes_per_life)
    assert report_of(task, disturbed) == report_of(task, undisturbed)


@pytest.mark.parametrize("name", RUNS)
def test_a_call_whose_entry_is_written_is_never_made_again(name: str) -> None:
    task, script = RUNS[name]
    ledger = Ledger()

    def asked_once(ask: Ask, listing: Mapping[str, Proposal]) -> Answered | None:
        keys = {record.key for record in ledger.records}
        assert ask.key not in keys
        assert ask.abstention_key not in keys
        return script(ask, listing)

    Driver(task, ledger, asked_once).run_in_spite_of_crashes(writes_per_life=1)


@pytest.mark.parametrize("name", RUNS)
def test_an_undisturbed_run_makes_every_call_once(name: str) -> None:
    task, script = RUNS[name]
    driver = Driver(task, Ledger(), script)
    driver.run()
    assert set(driver.calls.values()) == {1}


def without_delay(script: Script) -> Script:
    def at_once(ask: Ask, listing: Mapping[str, Proposal]) -> Answered | None:
        answered = script(ask, listing)
        return Answered(answered.text) if answered else None

    return at_once


@pytest.mark.parametrize("name", RUNS)
def test_a_cancel_at_any_point_ends_the_run_and_keeps_what_there_is(name: str) -> None:
    task, script = RUNS[name]
    whole = Ledger()
    Driver(task, whole, script).run()
    for writes in range(len(whole.records)):
        ledger = Ledger(list(whole.records[:writes]))
        ledger.write(Cancel())
        driver = Driver(task, ledger, script)
        assert driver.run().outcome is Outcome.CANCELLED
        assert not driver.calls
        told = report_of(task, ledger)
        assert told.result is None
        kept = {record.entry.id for record in whole.records[:writes] if isinstance(record.entry, Proposal)}
        assert told.progress.proposals == len(kept)
        assert len(told.proposals) == min(5, len(kept))


@pytest.mark.parametrize("name", RUNS)
def test_two_drivers_at_once_come_to_one_end(name: str) -> None:
    """A driver thought dead, and the one that took over: both write, each entry is there once."""
    task, script = RUNS[name]
    ledger, alone = Ledger(), Ledger()
    Driver(task, alone, script).run()
    first, second = Driver(task, ledger, script), Driver(task, ledger, script)
    first.run_in_spite_of_crashes(writes_per_life=2)
    assert second.run() == first.run()
    assert not second.calls
    assert report_of(task, ledger).proposals == report_of(task, alone).proposals


def test_a_seat_that_never_answers_costs_a_panel_its_proposal_not_its_result() -> None:
    def silent_last(ask: Ask, listing: Mapping[str, Proposal]) -> Answered | None:
        return None if ask.seat == "s-4" else five_answers(ask, listing)

    task, ledger = build_task(5, quorum=3), Ledger()
    verdict = Driver(task, ledger, silent_last).run()
    assert verdict.outcome is Outcome.SUCCEEDED
    assert START_MS + 6_000 < verdict.decided_at_ms < DEADLINE_MS
    told = report_of(task, ledger)
    assert told.votes is not None
    assert ("s-4", "StageEnded") in [(gone.seat, gone.reason) for gone in told.votes.abstentions]


def test_a_council_that_never_answers_times_out_at_the_deadline() -> None:
    for task in (build_task(3), build_vote(3)):
        ledger = Ledger()
        verdict = Driver(task, ledger, lambda *_: None).run()
        assert (verdict.outcome, verdict.decided_at_ms) == (Outcome.TIMED_OUT, DEADLINE_MS)


def test_judges_that_never_answer_leave_the_proposals_unranked() -> None:
    def propose_only(ask: Ask, listing: Mapping[str, Proposal]) -> Answered | None:
        return five_answers(ask, listing) if ask.stage is Stage.PROPOSE else None

    task, ledger = build_task(5), Ledger()
    assert Driver(task, ledger, propose_only).run().outcome is Outcome.TIMED_OUT
    told = report_of(task, ledger)
    assert told.result is None
    assert {place.rank for place in told.proposals} == {1}
    assert len(told.proposals) == 4


def test_a_quorum_that_is_lost_ends_the_run_before_the_slow_seats_answer() -> None:
    def mostly_nonsense(ask: Ask, _: Mapping[str, Proposal]) -> Answered | None:
        return Answered("?") if ask.seat in {"s-0", "s-1", "s-2"} else Answered("left", after_ms=5_000)

    task, ledger = build_vote(5), Ledger()
    verdict = Driver(task, ledger, mostly_nonsense).run()
    assert (verdict.outcome, verdict.decided_at_ms) == (Outcome.NO_QUORUM, START_MS)


def test_late_answers_after_the_end_change_nothing() -> None:
    """Ancestor's defect D6: a late answer flipped a failed run to completed."""
    task, ledger = build_vote(3), Ledger()
    Driver(task, ledger, lambda *_: None).run()
    before = report_of(task, ledger)
    for seat in ("s-0", "s-1", "s-2"):
        ledger.write(Proposal(seat=seat, answer="left"))
    ledger.write(Start(runner="another", at_ms=DEADLINE_MS + 1))
    assert report_of(task, ledger) == before
    assert Driver(task, ledger, five_choices, DEADLINE_MS + 1).run().outcome is Outcome.TIMED_OUT


def test_as_many_answers_are_expected_as_the_task_has_seats() -> None:
    """Ancestor's defect D2: the number of agents was read from their messages, where it was missing."""
    assert report_of(build_task(5), Ledger()).progress.expected == 5
    assert report_of(build_vote(5, samples=3), Ledger()).progress.expected == 15


@pytest.mark.parametrize("name", RUNS)
def test_every_seat_is_asked_whatever_the_number(name: str) -> None:
    """Ancestor's defect D11: the number of agents was accepted and ignored."""
    for seats in (1, 2, 7, 64):
        task = RUNS[name][0].model_copy(update={"seats": build_task(seats).seats, "quorum": 1})
        driver = Driver(
            task, Ledger(), lambda ask, listing: score_by_length(ask, listing) if listing else Answered("left")
        )
        driver.run()
        asked = {ask.seat for ask in driver.calls if ask.stage is Stage.PROPOSE}
        assert asked == {seat.id for seat in task.seats}
