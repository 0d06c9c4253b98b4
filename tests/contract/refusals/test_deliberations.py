"""What the API server refuses of a new Deliberation, and what it tells the user: every rule has its case here."""

from typing import Any

import pytest

from contract.api_server import ApiServer
from contract.objects import deliberation
from contract.refusals.cases import Case, assert_refused, find_rules_without_a_case
from deliberation.api.v1alpha1.kinds import DELIBERATION

pytestmark = [pytest.mark.contract, pytest.mark.timeout(180)]

MISPLACED: tuple[tuple[str, Any, str, str], ...] = (
    ("rounds", 2, "Vote", "Critique, Debate and MixtureOfAgents"),
    ("topology", "Ring", "Panel", "Debate"),
    ("keepIfMajority", False, "Vote", "Debate"),
    ("samples", 2, "Debate", "Auto, Vote and Panel"),
    ("stop", "Unassailable", "Auto", "Vote"),
    ("orders", 1, "Vote", "Panel and Critique"),
    ("judging", "Decisions", "Debate", "Panel and Critique"),
    ("aggregation", "Borda", "MixtureOfAgents", "Panel and Critique"),
    ("synthesis", {}, "Debate", "Panel, Critique and MixtureOfAgents"),
)
"""Fields of the strategy with a value that is fine, a type that they do not belong to, and the types that they do."""

DELIBERATIONS = [
    Case(
        "unknown strategy",
        deliberation(strategy={"type": "Duel"}),
        "spec.strategy.type",
        'supported values: "Auto", "Vote", "Panel", "Critique", "Debate", "MixtureOfAgents"',
    ),
    *(
        Case(
            f"{field} for {kind}",
            deliberation(strategy={"type": kind, field: value}, answer={"type": "Boolean"}),
            f"spec.strategy.{field}",
            f"{field} is for type {types}: set type so, or leave {field} out",
        )
        for field, value, kind, types in MISPLACED
    ),
    Case(
        "mixture of agents without synthesis",
        deliberation(strategy={"type": "MixtureOfAgents", "synthesis": {"enabled": False}}),
        "spec.strategy.synthesis",
        "the result of a MixtureOfAgents is a synthesis: leave synthesis.enabled out, or choose another type",
    ),
    Case(
        "four rounds", deliberation(strategy={"type": "Critique", "rounds": 4}), "strategy.rounds", "less than or equal"
    ),
    Case(
        "debate on a text",
        deliberation(strategy={"type": "Debate"}),
        "spec.strategy",
        "a Debate is decided by counting, so it needs answer.type Choice, Number or Boolean: set one, or let texts be "
        "revised by type Critique",
    ),
    Case(
        "stop with a tolerance",
        deliberation(strategy={"type": "Vote", "stop": "Unassailable"}, answer={"type": "Number", "toleranceMilli": 1}),
        "spec.strategy",
        "with a tolerance every vote may move the answer, so none can be spared: leave out answer.toleranceMilli, "
        "or stop",
    ),
    Case("free of charge", deliberation(budget={"tokens": 0}), "spec.budget.tokens", "greater than or equal to 1"),
    Case("budget without tokens", deliberation(budget={}), "spec.budget.tokens", "Required value"),
    Case("no question", deliberation(question=""), "spec.question", "should be at least 1 chars long"),
    Case(
        "blank question",
        deliberation(question=" \n "),
        "spec.question",
        "question is blank: write what the Council is to answer",
    ),
    Case("long question", deliberation(question="x" * 65_537), "spec.question", "may not be more than 65536 bytes"),
    Case(
        "long texts",
        deliberation(question="é" * 40_000, context=[{"name": "a", "text": "x" * 60_000}]),
        "spec.question",
        "question and context may have at most 131072 bytes of UTF-8 together: shorten them",
    ),
    Case("timeout with a unit", deliberation(timeoutSeconds="10m"), "spec.timeoutSeconds", "must be of type integer"),
    Case("no time", deliberation(timeoutSeconds=0), "spec.timeoutSeconds", "should be greater than or equal to 1"),
    Case("timeout under another name", deliberation(timeout="10m"), "spec.timeout", "unknown field"),
    Case("a boundless priority", deliberation(priority=1001), "spec.priority", "should be less than or equal to 1000"),
    Case("nothing to show", deliberation(topK=0), "spec.topK", "should be greater than or equal to 1"),
    Case("no quorum", deliberation(quorum=0), "spec.quorum", "should be greater than or equal to 1"),
    Case("unknown answer type", deliberation(answer={"type": "Poem"}), "spec.answer.type", "supported values:"),
    Case(
        "choice without choices",
        deliberation(answer={"type": "Choice"}),
        "spec.answer.choices",
        "type Choice needs choices: give 2 to 26",
    ),
    Case(
        "choices for a text",
        deliberation(answer={"choices": ["yes", "no"]}),
        "spec.answer.choices",
        "choices belong to type Choice: set type: Choice or leave them out",
    ),
    Case(
        "one choice",
        deliberation(answer={"type": "Choice", "choices": ["yes"]}),
        "spec.answer.choices",
        "should have at least 2 items",
    ),
    Case(
        "choices alike",
        deliberation(answer={"type": "Choice", "choices": ["a", "a"]}),
        "spec.answer.choices[1]",
        "Duplicate value",
    ),
    Case(
        "tolerance for a text",
        deliberation(answer={"toleranceMilli": 1}),
        "spec.answer.toleranceMilli",
        "toleranceMilli belongs to type Number: set type: Number or leave it out",
    ),
    Case(
        "unit for a text",
        deliberation(answer={"unit": "ms"}),
        "spec.answer.unit",
        "unit belongs to type Number: set type: Number or leave it out",
    ),
    Case(
        "unit that is a number",
        deliberation(answer={"type": "Number", "unit": "5"}),
        "spec.answer.unit",
        "should match",
    ),
    Case(
        "JSON without schema",
        deliberation(answer={"type": "JSON"}),
        "spec.answer.schema",
        "type JSON needs schema: give the JSON schema of the answer",
    ),
    Case(
        "schema for a text",
        deliberation(answer={"schema": {"type": "object"}}),
        "spec.answer.schema",
        "schema belongs to type JSON: set type: JSON or leave it out",
    ),
    Case("no council", deliberation(councilRef={}), "spec.councilRef.name", "Required value"),
]

OF_CHANGES = ("cannot be changed after creation", "cancel cannot be taken back")
"""Rules about what changes later: `test_changes` has their cases."""


@pytest.mark.parametrize("case", DELIBERATIONS, ids=str)
def test_refusal_names_the_field_and_the_rule(installed: ApiServer, case: Case) -> None:
    assert_refused(installed, case)


def test_every_rule_has_a_case() -> None:
    shown = [case.rule for case in DELIBERATIONS]
    assert find_rules_without_a_case(DELIBERATION, [*shown, *OF_CHANGES]) == []
