import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberation.protocol import streams, subjects
from deliberation.protocol.entries import LedgerEntry
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task
from unit.deliberation.protocol import strategies

runs = st.builds(Run, strategies.labels, strategies.uids, st.integers(1, 99))


def matches(pattern: str, subject: str) -> bool:
    """Tell whether NATS delivers the subject to the pattern: `*` is one token, a closing `>` one or more."""
    wanted, tokens = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted, tokens = wanted[:-1], tokens[: len(wanted) - 1] if len(tokens) >= len(wanted) else []
    return len(wanted) == len(tokens) and all(w in ("*", t) for w, t in zip(wanted, tokens, strict=True))


def kept_in(subject: str) -> list[str]:
    return [stream.name for stream in streams.ALL for pattern in stream.subjects if matches(pattern, subject)]


@given(runs, strategies.labels, strategies.entries)
def test_d3_a_stream_keeps_every_subject_that_is_published(run: Run, runner: str, entry: LedgerEntry) -> None:
    task = subjects.task(run, runner)
    assert kept_in(task) == ["COUNCIL_TASKS"]
    assert kept_in(subjects.entry(run, entry.key)) == ["COUNCIL_LEDGER"]
    assert kept_in(subjects.dead(run, runner)) == kept_in(subjects.dead_letter_of(task)) == ["COUNCIL_DEAD"]


@given(runs, strategies.labels)
def test_d3_what_is_only_for_the_moment_is_kept_by_no_stream(run: Run, runner: str) -> None:
    heartbeat, probe = subjects.heartbeat(run.namespace, runner), subjects.probe(run.namespace, runner)
    assert kept_in(heartbeat) == kept_in(probe) == []
    assert matches(subjects.HEARTBEATS, heartbeat)
    assert matches(subjects.PROBES, probe)


def test_d3_no_subject_is_left_out_of_these_tests() -> None:
    published = {"task", "entry", "dead", "dead_letter_of", "heartbeat", "probe"}
    filters = {
        "tasks_of",
        "tasks_of_runner",
        "tasks_of_deliberation",
        "ledger",
        "ledger_of_deliberation",
        "dead_of_deliberation",
        "within",
    }
    readers = {"find_entry", "find_task", "find_dead", "find_heartbeat"}
    functions = {
        name
        for name, value in inspect.getmembers(subjects, inspect.isfunction)
        if value.__module__ == subjects.__name__
    }
    assert functions == published | filters | readers


@given(runs, strategies.labels, strategies.entries)
def test_filters_select_what_they_say(run: Run, runner: str, entry: LedgerEntry) -> None:
    task, place = subjects.task(run, runner), subjects.entry(run, entry.key)
    assert matches(subjects.tasks_of(run.namespace), task)
    assert matches(subjects.tasks_of_runner(run.namespace, runner), task)
    assert matches(subjects.tasks_of_deliberation(run.namespace, run.deliberation_uid), task)
    assert matches(subjects.dead_of_deliberation(run.namespace, run.deliberation_uid), subjects.dead(run, runner))
    assert matches(subjects.ledger(run), place)
    assert matches(subjects.ledger_of_deliberation(run.namespace, run.deliberation_uid), place)


@given(runs, runs, strategies.entries)
def test_the_part_of_a_namespace_holds_what_is_in_it_and_nothing_else(one: Run, other: Run, entry: LedgerEntry) -> None:
    part = subjects.within(subjects.LEDGER, one.namespace)
    assert matches(part, subjects.entry(one, entry.key))
    assert matches(part, subjects.entry(other, entry.key)) == (one.namespace == other.namespace)
    assert subjects.within(subjects.LEDGER, "*") == subjects.LEDGER


@given(runs, runs, strategies.labels, strategies.labels, strategies.entries)
def test_filters_of_one_run_select_nothing_of_another(
    one: Run, other: Run, runner: str, another_runner: str, entry: LedgerEntry
) -> None:
    place = subjects.entry(other, entry.key)
    assert matches(subjects.ledger(one), place) == (one == other)
    same_tasks = (one.namespace, runner) == (other.namespace, another_runner)
    assert matches(subjects.tasks_of_runner(one.namespace, runner), subjects.task(other, another_runner)) == same_tasks
    assert matches(subjects.tasks_of(one.namespace), subjects.task(other, runner)) == (one.namespace == other.namespace)


@given(runs, strategies.labels, strategies.entries)
def test_d14_a_subject_gives_back_all_that_it_is_made_of(run: Run, runner: str, entry: LedgerEntry) -> None:
    key = entry.key
    assert subjects.find_entry(subjects.entry(run, key)) == (run, key)
    assert subjects.find_task(subjects.task(run, runner)) == run
    assert subjects.find_heartbeat(subjects.heartbeat(run.namespace, runner)) == (run.namespace, runner)
    assert subjects.find_dead(subjects.dead(run, runner)) == (run.namespace, run.deliberation_uid)


@given(strategies.tasks, st.text(min_size=1))
def test_d14_no_text_of_a_user_or_a_model_changes_the_routing(task: Task, text: str) -> None:
    def routes(of: Task) -> list[str]:
        run = Run(of.namespace, of.deliberation_uid, of.attempt)
        return [subjects.task(run, "runner-1"), subjects.ledger(run), subjects.dead(run, "runner-1")]

    changed = task.model_copy(update={"deliberation_name": text, "council_name": text, "question": text})
    assert routes(changed) == routes(task)


@given(strategies.entries, st.text())
def test_d14_no_text_of_a_model_changes_the_place_of_an_entry(entry: LedgerEntry, text: str) -> None:
    said: dict[str, Any] = {
        field: text for field in ("answer", "rationale", "message") if field in type(entry).model_fields
    }
    assert entry.model_copy(update=said).key == entry.key


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "council.v1.ns.ledger.uid.1",
        "council.v1.ns.ledger.uid.one.start",
        "council.v1.ns.task.runner.uid.1",
        "council.v2.ns.ledger.uid.1.start",
        "council.v1.ns.dead.runner.uid.1",
    ],
)
def test_a_subject_outside_the_ledger_is_no_entry(subject: str) -> None:
    assert subjects.find_entry(subject) is None


@pytest.mark.parametrize("subject", ["", "council.v1.ns.task.runner.uid", "council.v1.ns.ledger.uid.1.start"])
def test_a_subject_outside_the_tasks_is_no_task(subject: str) -> None:
    assert subjects.find_task(subject) is None
    assert subjects.find_heartbeat(subject) is None
    assert subjects.find_dead(subject) is None


@pytest.mark.parametrize("namespace", ["team", "task", "dead"])
def test_a_task_is_laid_aside_in_its_own_namespace(namespace: str) -> None:
    run = Run(namespace, "task", 1)
    assert subjects.dead_letter_of(subjects.task(run, "task")) == subjects.dead(run, "task")
