from typing import Any

import pytest

from council_operator.plan.admission import build_task, check
from council_operator.plan.specs import InvalidSpecError
from deliberation.api.v1alpha1.deliberation import DEFAULT_CRITERIA, DeliberationSpec
from deliberation.api.v1alpha1.strategy import Aggregation, Judging, Stop, Topology
from deliberation.protocol.messages import decode
from deliberation.protocol.tasks import ResolvedStrategy, Task
from fakes.bodies import NOW_MS, SETTINGS, council, council_spec, deliberation

Body = dict[str, Any]


def task_of(seats: int = 3, **spec: Any) -> Task:
    return build_task(deliberation(**spec), council(council_spec(seats=seats)), NOW_MS, SETTINGS)


def test_a_task_tells_the_runner_everything() -> None:
    task = task_of(timeoutSeconds=30, seed=7, topK=2)
    assert (task.namespace, task.deliberation_uid, task.deliberation_name) == ("team-a", "uid-q1", "q1")
    assert (task.council_uid, task.council_name) == ("uid-architects", "architects")
    assert (task.started_at_ms, task.deadline_ms) == (NOW_MS, NOW_MS + 30_000)
    assert (task.seed, task.top_k, task.attempt) == (7, 2, 1)
    assert len(task.seats) == 3
    assert decode(Task, task.encode()) == task


@pytest.mark.parametrize(
    ("answer", "strategy", "resolved"),
    [
        ({}, "Auto", ResolvedStrategy.PANEL),
        ({"type": "Choice", "choices": ["a", "b"]}, "Auto", ResolvedStrategy.VOTE),
        ({"type": "Number"}, "Auto", ResolvedStrategy.VOTE),
        ({"type": "Boolean"}, "Auto", ResolvedStrategy.VOTE),
        ({"type": "JSON", "schema": {}}, "Auto", ResolvedStrategy.PANEL),
        ({"type": "Boolean"}, "Panel", ResolvedStrategy.PANEL),
        ({}, "Vote", ResolvedStrategy.VOTE),
    ],
)
def test_auto_votes_on_closed_answers_and_judges_texts(answer: Body, strategy: str, resolved: ResolvedStrategy) -> None:
    assert task_of(answer=answer, strategy={"type": strategy}).strategy is resolved


@pytest.mark.parametrize(("seats", "quorum"), [(1, 1), (2, 2), (3, 2), (4, 3), (9, 5), (64, 33)])
def test_the_default_quorum_is_more_than_half(seats: int, quorum: int) -> None:
    assert task_of(seats).quorum == quorum


def test_criteria_default_to_ours() -> None:
    assert task_of().criteria == DEFAULT_CRITERIA
    assert [one.name for one in task_of(criteria=[{"name": "speed"}]).criteria] == ["speed"]


@pytest.mark.parametrize("refuse", [check, lambda d, c: build_task(d, c, NOW_MS, SETTINGS)])
def test_a_quorum_that_no_run_can_reach_is_refused_with_both_numbers(refuse: Any) -> None:
    with pytest.raises(InvalidSpecError) as refused:
        refuse(deliberation(quorum=4), council(council_spec(seats=3)))
    assert str(refused.value) == (
        "spec.quorum is 4, but Council architects has 3 seats: add seats to the Council, "
        "or create another Deliberation with a quorum of at most 3"
    )


def test_a_fault_of_the_councils_is_not_held_against_the_question() -> None:
    spec = council_spec()
    spec["members"][0]["modelRef"] = "nobody"
    check(deliberation(quorum=64), council(spec))


def test_a_quorum_of_all_seats_is_fine() -> None:
    check(deliberation(quorum=3), council(council_spec(seats=3)))


CHANGES: Body = {
    "question": "Which queue?",
    "context": [{"name": "load", "text": "10 per second"}],
    "requirements": ["open source"],
    "criteria": [{"name": "cost"}],
    "answer": {"type": "Boolean"},
    "strategy": {"type": "Vote"},
    "quorum": 3,
    "timeoutSeconds": 5,
    "budget": {"tokens": 1000},
    "topK": 1,
    "seed": 1,
}


@pytest.mark.parametrize("field", CHANGES)
def test_d11_every_field_of_the_spec_reaches_the_task(field: str) -> None:
    assert task_of(**{field: CHANGES[field]}) != task_of()


def test_d11_no_field_of_the_spec_is_forgotten_by_this_test() -> None:
    """`councilRef` chooses the Council; the others decide when to begin, to stop, and to delete."""
    fields = {field.alias or name for name, field in DeliberationSpec.model_fields.items()}
    assert fields - {"councilRef", "priority", "suspend", "cancel", "ttlSecondsAfterFinished"} == set(CHANGES)


MEMBER_CHANGES: Body = {
    "role": "QA",
    "seats": 4,
    "instructions": "Doubt.",
    "sampling": {"maxTokens": 5},
    "weightMilli": 5,
    "name": "other",
    "modelRef": "second",
}


@pytest.mark.parametrize("field", MEMBER_CHANGES)
def test_d11_every_field_of_a_member_reaches_the_task(field: str) -> None:
    models = ({"name": "small", "simulated": {}}, {"name": "second", "simulated": {}})
    plain, changed = council_spec(*models), council_spec(*models)
    changed["members"][0][field] = MEMBER_CHANGES[field]
    tasks = [build_task(deliberation(), council(spec), NOW_MS, SETTINGS) for spec in (plain, changed)]
    assert tasks[0].seats != tasks[1].seats


def test_texts_that_no_message_can_carry_are_refused_with_their_sizes() -> None:
    member = {"name": "dev", "role": "Developer", "modelRef": "small", "seats": 64, "instructions": "\x01" * 8192}
    body = council(spec=council_spec(members=[member]))
    with pytest.raises(InvalidSpecError, match=r"seats 3145856, but a task holds at most"):
        check(deliberation(question="\x01" * 65_536, context=[{"name": "a", "text": "\x01" * 65_536}] * 2), body)


def test_what_a_strategy_leaves_out_has_the_default_of_its_type() -> None:
    vote, panel = task_of(answer={"type": "Boolean"}), task_of()
    assert (vote.aggregation, vote.orders, vote.synthesiser) == (Aggregation.PLURALITY, 1, None)
    assert (panel.aggregation, panel.orders, panel.synthesiser) == (Aggregation.SCORE_MEAN, 2, None)
    for task in (vote, panel):
        assert (task.rounds, task.samples, task.topology, task.stop) == (1, 1, Topology.FULL, Stop.NONE)
        assert (task.keep_if_majority, task.budget_tokens) == (True, None)


def test_what_a_strategy_declares_reaches_the_runner() -> None:
    debate = {"type": "Debate", "rounds": 3, "topology": "Star", "keepIfMajority": False}
    task = task_of(answer={"type": "Boolean"}, strategy=debate, budget={"tokens": 5000})
    assert (task.strategy, task.rounds, task.topology) == (ResolvedStrategy.DEBATE, 3, Topology.STAR)
    assert (task.keep_if_majority, task.budget_tokens) == (False, 5000)
    vote = {"type": "Vote", "samples": 4, "stop": "Unassailable"}
    assert (task_of(strategy=vote).samples, task_of(strategy=vote).stop) == (4, Stop.UNASSAILABLE)
    assert task_of(strategy={"type": "Vote", "stop": "Beta"}).stop is Stop.BETA
    assert task_of(strategy={"type": "Panel"}).judging is Judging.BALLOTS
    assert task_of(strategy={"type": "Panel", "judging": "Decisions"}).judging is Judging.DECISIONS
    panel = {"type": "Panel", "orders": 1, "aggregation": "Kemeny"}
    assert (task_of(strategy=panel).orders, task_of(strategy=panel).aggregation) == (1, Aggregation.KEMENY)


@pytest.mark.parametrize(
    ("strategy", "synthesiser"),
    [
        ({"type": "Panel"}, None),
        ({"type": "Panel", "synthesis": {}}, "dev-0"),
        ({"type": "Panel", "synthesis": {"enabled": False}}, None),
        ({"type": "Critique", "synthesis": {"memberRef": "dev"}}, "dev-0"),
        ({"type": "MixtureOfAgents"}, "dev-0"),
    ],
)
def test_a_synthesis_is_written_by_a_member_s_first_seat(strategy: Body, synthesiser: str | None) -> None:
    assert task_of(strategy=strategy).synthesiser == synthesiser


def refusal_of(**spec: Any) -> str:
    with pytest.raises(InvalidSpecError) as refused:
        check(deliberation(**spec), council(council_spec(seats=9)))
    return str(refused.value)


def test_a_synthesis_by_nobody_is_refused_with_the_members_that_there_are() -> None:
    assert refusal_of(strategy={"type": "Panel", "synthesis": {"memberRef": "chair"}}) == (
        "spec.strategy.synthesis.memberRef is chair, but Council architects has no such member: add it to the Council, "
        "or create another Deliberation that names one of dev"
    )


def test_a_beta_stop_is_refused_where_votes_weigh_differently() -> None:
    light, heavy = [
        {"name": name, "role": "QA", "seats": 5, "modelRef": "small", "weightMilli": weight}
        for name, weight in (("light", 1000), ("heavy", 2500))
    ]
    asked = deliberation(strategy={"type": "Vote", "stop": "Beta"})
    check(asked, council(council_spec(members=[light, {**light, "name": "other"}])))
    check(
        deliberation(strategy={"type": "Vote", "stop": "Unassailable"}), council(council_spec(members=[light, heavy]))
    )
    with pytest.raises(InvalidSpecError) as refused:
        check(asked, council(council_spec(members=[heavy, light])))
    assert str(refused.value) == (
        "spec.strategy.stop is Beta, for which every vote counts the same, but the members of Council architects have "
        "the weightMilli 1000, 2500: give them one, or create another Deliberation with stop Unassailable"
    )


def test_more_proposals_than_can_be_compared_are_refused_with_the_numbers() -> None:
    assert "spec.strategy.samples is 8, which makes 72 proposals of the 9 seats" in refusal_of(strategy={"samples": 8})
