from typing import Any

import pytest

from crd_schema import walk
from deliberation.api.v1alpha1.kinds import COUNCIL, DELIBERATION, KINDS, Kind
from deliberation.local import schema
from deliberation.local.schema import find_faults
from fakes.manifests import SIMULATED, council, deliberation
from generate_crds import build_definition

Body = dict[str, Any]

needs_cel = pytest.mark.skipif(not schema.HAS_CEL, reason="the extra `local` is not installed")


def member(**changes: Any) -> Body:
    return {"name": "dev", "role": "Developer", "modelRef": "small", **changes}


BROKEN_RULES = [
    (council(models=[{"name": "small"}]), "spec.models[0]: a model needs exactly one source"),
    (council(members=[member(role="Cook")]), "spec.members[0].role: role is not a preset"),
    (council(members=[member(modelRef="large")]), "spec.members: every modelRef must name one of spec.models"),
    (council(members=[member(seats=40), member(name="x", seats=25)]), "spec.members: a Council has at most 64 seats"),
    (council(members=[member(seats=17, instructions="x" * 8192)]), "spec.members: instructions, counted once"),
    (council("c" * 64), "metadata.name of a Council may have at most 63 characters"),
    (
        council(models=[{"name": "small", "endpoint": {"url": "ftp://x", "modelName": "m"}}]),
        "spec.models[0].endpoint.url: url must begin with http:// or https://",
    ),
    (
        council(
            models=[
                {
                    "name": "small",
                    "vllm": {"model": "m", "weights": {"persistentVolumeClaim": {"claimName": "c", "path": "../m"}}},
                }
            ]
        ),
        "spec.models[0].vllm.weights.persistentVolumeClaim.path: path must be relative",
    ),
    (
        deliberation(strategy={"type": "Vote", "rounds": 2}),
        "spec.strategy.rounds: rounds is for type Critique",
    ),
    (deliberation(question=" \n "), "spec.question: question is blank: write what the Council is to answer"),
    (deliberation(answer={"type": "Choice"}), "spec.answer.choices: type Choice needs choices: give 2 to 26 of them"),
    (
        deliberation(question="é" * 40_000, context=[{"name": "a", "text": "x" * 60_000}]),
        "spec.question: question and context may have at most 131072 bytes",
    ),
]


def kind_of(body: Body) -> Kind:
    return next(kind for kind in KINDS if kind.name == body["kind"])


@pytest.mark.parametrize("body", [council(), deliberation()], ids=["council", "deliberation"])
def test_valid_objects_have_no_faults(body: Body) -> None:
    assert find_faults(kind_of(body), body) == ()


@needs_cel
@pytest.mark.parametrize(("body", "told"), BROKEN_RULES)
def test_a_broken_rule_is_told_as_the_api_server_tells_it(body: Body, told: str) -> None:
    [fault] = find_faults(kind_of(body), body)
    assert fault.startswith(told)


@needs_cel
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_rule_can_be_evaluated_here(kind: Kind) -> None:
    """Whatever functions of Kubernetes a rule uses, they are there."""
    definition = build_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    rules = [(rule["rule"], fill(part)) for _, part in walk(definition, "") for rule in list_rules(part)]
    assert rules
    for rule, value in rules:
        assert schema._holds(rule, value) in {True, False}


def list_rules(part: Body) -> list[Body]:
    return [rule for rule in part.get("x-kubernetes-validations", ()) if schema.OLD not in rule["rule"]]


def fill(part: Body) -> Any:
    """Return a value of the schema's type that has everything, and need not be valid."""
    match part:
        case {"enum": [first, *_]}:
            return first
        case {"type": "object"}:
            return {name: fill(inner) for name, inner in part.get("properties", {}).items()}
        case {"type": "array"}:
            return [fill(part["items"])]
        case {"type": "string"}:
            return "text"
        case {"type": "boolean"}:
            return True
        case _:
            return 1


def test_without_cel_rules_are_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "HAS_CEL", False)
    assert find_faults(DELIBERATION, deliberation(question=" ")) == ()


def test_list_keys_and_sets_hold_no_value_twice() -> None:
    assert find_faults(COUNCIL, council(models=[SIMULATED, SIMULATED])) == (
        'spec.models[1]: Duplicate value: {"name": "small"}',
    )
    twice = deliberation(answer={"type": "Choice", "choices": ["a", "b", "a"]})
    assert find_faults(DELIBERATION, twice) == ('spec.answer.choices[2]: Duplicate value: "a"',)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"timeoutSeconds": "60"}, "spec.timeoutSeconds: Input should be a valid integer"),
        ({"cancel": "yes"}, "spec.cancel: Input should be a valid boolean"),
        ({"criteria": [{"name": "No Label"}]}, "spec.criteria[0].name: String should match pattern"),
        ({"timeout": 1}, "spec.timeout: Extra inputs are not permitted"),
        ({"councilRef": {}}, "spec.councilRef.name: Field required"),
    ],
)
def test_types_and_bounds_are_strict(changes: Body, told: str) -> None:
    [fault] = find_faults(DELIBERATION, deliberation(**changes))
    assert fault.startswith(told)


def test_a_field_that_is_null_is_absent() -> None:
    assert find_faults(DELIBERATION, deliberation(seed=None, context=[{"name": "a", "text": "b"}])) == ()
