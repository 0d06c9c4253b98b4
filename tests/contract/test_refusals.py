"""What the API server refuses, and what it tells the user: every rule of the schema has its case here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from contract.api_server import ApiServer, RefusedError
from contract.objects import DEVELOPER, SIMULATED, council, deliberation
from crd_schema import walk
from deliberation.api.v1alpha1.deliberation import IMMUTABLE_FIELDS
from deliberation.api.v1alpha1.kinds import KINDS
from generate_crds import build_definition

pytestmark = [pytest.mark.contract, pytest.mark.timeout(180)]

Body = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """An object, and the field and rule that its refusal must name."""

    name: str
    body: Body
    field: str
    rule: str


def model(**source: Any) -> Body:
    return council(models=[{"name": "small", **source}])


def member(**changes: Any) -> Body:
    return council(members=[{**DEVELOPER, **changes}])


def endpoint(url: str) -> Body:
    return model(endpoint={"url": url, "modelName": "m"})


def vllm(**fields: Any) -> Body:
    return model(vllm={"model": "m", **fields})


def on_gpu(**gpu: Any) -> Body:
    return model(vllm={"model": "m", "gpu": gpu})


def volume(path: str) -> Body:
    return model(vllm={"model": "m", "weights": {"persistentVolumeClaim": {"claimName": "c", "path": path}}})


COUNCILS = [
    Case("no model", council(models=[]), "spec.models", "should have at least 1 items"),
    Case("no member", council(members=[]), "spec.members", "should have at least 1 items"),
    Case("no model source", model(), "spec.models[0]", "a model needs exactly one source: give one of"),
    Case(
        "two model sources",
        model(simulated={}, endpoint={"url": "http://x/v1", "modelName": "m"}),
        "spec.models[0]",
        "a model needs exactly one source: give one of vllm, endpoint and simulated",
    ),
    Case(
        "two models of a name",
        council(models=[SIMULATED, SIMULATED]),
        "spec.models[1]",
        'Duplicate value: {"name":"small"}',
    ),
    Case(
        "two weight sources",
        model(vllm={"model": "m", "weights": {"hub": {}, "persistentVolumeClaim": {"claimName": "c", "path": "p"}}}),
        "spec.models[0].vllm.weights",
        "weights come from one source: give at most one of hub, persistentVolumeClaim and image",
    ),
    Case(
        "fewer workers than there are to be",
        council(runner={"workers": {"min": 2, "max": 1}}),
        "spec.runner.workers.min",
        "min is more than max: give at least as much for max",
    ),
    Case(
        "weights outside the volume",
        volume("../m"),
        "persistentVolumeClaim.path",
        "and must not leave it: no leading / and no ..",
    ),
    Case("weights at a root", volume("/m"), "persistentVolumeClaim.path", "path must be relative to the volume's root"),
    Case(
        "two slices of a shared GPU",
        on_gpu(sharing="TimeSlicing", slices=2, tensorParallel=2),
        "vllm.gpu.slices",
        "slices must be 1 unless sharing is Exclusive: two slices of one GPU give neither more memory nor",
    ),
    Case(
        "GPUs without a part of the model",
        on_gpu(slices=2),
        "vllm.gpu.tensorParallel",
        "tensorParallel must equal slices: each part of the model needs a GPU of its own",
    ),
    Case(
        "a partition without its profile",
        on_gpu(sharing="MIG"),
        "vllm.gpu.resourceName",
        "sharing MIG needs resourceName: name the profile, such as nvidia.com/mig-1g.10gb",
    ),
    Case("memory without a unit", on_gpu(memoryPerSlice="12GB"), "gpu.memoryPerSlice", "should match"),
    Case(
        "an engine argument that is none",
        vllm(engineArgs=["max-num-seqs=8"]),
        "vllm.engineArgs",
        "each of engineArgs is one flag of vLLM with its value, such as --max-num-batched-tokens=2048",
    ),
    Case(
        "a flag of the operator's",
        vllm(engineArgs=["--no_enable_prefix-caching"]),
        "vllm.engineArgs",
        "engineArgs holds a flag that the operator sets: use the fields of the model and of gpu instead",
    ),
    Case(
        "an adapter from nowhere",
        vllm(adapters=[{"name": "law"}]),
        "vllm.adapters[0]",
        "an adapter comes from one place: give either hub, its id there, or path",
    ),
    Case(
        "an adapter of a rank that vLLM does not know",
        vllm(adapters=[{"name": "law", "hub": "a/b", "rank": 20}]),
        "vllm.adapters[0].rank",
        "rank must be one that vLLM knows",
    ),
    Case(
        "an adapter beside weights that are not there",
        vllm(adapters=[{"name": "law", "path": "law"}]),
        "vllm.adapters",
        "path of an adapter is a folder beside the weights, so these must come from persistentVolumeClaim or",
    ),
    Case(
        "an adapter by the name of its model",
        vllm(adapters=[{"name": "m", "hub": "a/b"}]),
        "vllm.adapters",
        "an adapter may not have the name of its model",
    ),
    Case(
        "an adapter that the model has not",
        member(adapter="law"),
        "spec.members",
        "adapter must name one of the adapters of the member's model: correct it or declare that one",
    ),
    Case(
        "a sleep that is too short",
        vllm(idleSeconds=59),
        "vllm.idleSeconds",
        "idleSeconds must be 0, which is never, or at least 60",
    ),
    Case(
        "endpoint without http",
        endpoint("llm.example.com/v1"),
        "endpoint.url",
        "url must begin with http:// or https://",
    ),
    Case(
        "endpoint with a query", endpoint("https://x/v1?key=1"), "endpoint.url", "and hold no query: give the base URL"
    ),
    Case("endpoint with a password", endpoint("https://u:p@x/v1"), "endpoint.url", "url must hold no user or password"),
    Case(
        "latency with a unit",
        model(simulated={"latencyMilliseconds": "50ms"}),
        "latencyMilliseconds",
        "must be of type integer",
    ),
    Case(
        "latency in seconds",
        model(simulated={"latencySeconds": 1}),
        "simulated.latencySeconds",
        "unknown field",
    ),
    Case(
        "percent above all",
        model(simulated={"failurePercent": 101}),
        "failurePercent",
        "should be less than or equal to 100",
    ),
    Case("no seats", member(seats=0), "spec.members[0].seats", "should be greater than or equal to 1"),
    Case(
        "too many seats",
        council(members=[{**DEVELOPER, "seats": 40}, {**DEVELOPER, "name": "more", "seats": 25}]),
        "spec.members",
        "a Council has at most 64 seats, all members together: ask for fewer",
    ),
    Case(
        "too much to read for all seats",
        member(seats=17, instructions="x" * 8192),
        "spec.members",
        "instructions, counted once for each seat, may have at most 131072 bytes of UTF-8",
    ),
    Case(
        "unknown model",
        member(modelRef="large"),
        "spec.members",
        "every modelRef must name one of spec.models: correct it or declare the model",
    ),
    Case(
        "unknown role",
        member(role="Cook"),
        "spec.members[0].role",
        "role is not a preset (Developer, QA, Architect, DevOps, Data): use one of these or give",
    ),
    Case(
        "temperature as a fraction",
        member(sampling={"temperatureMilli": 0.7}),
        "temperatureMilli",
        "must be of type integer",
    ),
    Case("member name with capitals", member(name="Dev"), "spec.members[0].name", "should match"),
    Case(
        "long name",
        council(name="c" * 64),
        "",
        "metadata.name of a Council may have at most 63 characters: choose a shorter one",
    ),
]

MISPLACED: tuple[tuple[str, Any, str, str], ...] = (
    ("rounds", 2, "Vote", "Critique, Debate and MixtureOfAgents"),
    ("topology", "Ring", "Panel", "Debate"),
    ("keepIfMajority", False, "Vote", "Debate"),
    ("samples", 2, "Debate", "Auto, Vote and Panel"),
    ("stop", "Unassailable", "Auto", "Vote"),
    ("orders", 1, "Vote", "Panel and Critique"),
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

COMPLETE = deliberation(
    context=[{"name": "a", "text": "b"}],
    requirements=["short"],
    criteria=[{"name": "short"}],
    answer={"type": "Number"},
    strategy={"type": "Vote"},
    quorum=1,
    timeoutSeconds=60,
    budget={"tokens": 1000},
    priority=3,
    topK=3,
    seed=1,
)["spec"]

CHANGED: Body = {
    "councilRef": {"name": "other"},
    "question": "Another?",
    "context": [{"name": "a", "text": "c"}],
    "requirements": [],
    "criteria": [{"name": "short", "weightMilli": 1}],
    "answer": {"type": "Text"},
    "strategy": {"type": "Panel"},
    "quorum": 2,
    "timeoutSeconds": 61,
    "budget": {"tokens": 2000},
    "priority": 4,
    "topK": 4,
    "seed": 2,
}


def forbidden(field: str) -> str:
    rule = f"{field} cannot be changed after creation: delete this Deliberation and create another"
    return f"spec.{field}: Forbidden: {rule}"


@pytest.mark.parametrize("case", [*COUNCILS, *DELIBERATIONS], ids=lambda case: case.name.replace(" ", "-"))
def test_refusal_names_the_field_and_the_rule(installed: ApiServer, case: Case) -> None:
    refusal = installed.refusal(case.body)
    assert case.field in refusal
    assert case.rule in refusal


@pytest.mark.parametrize("field", IMMUTABLE_FIELDS)
def test_a_question_once_put_cannot_be_changed(api_server: ApiServer, field: str) -> None:
    api_server.apply(deliberation(**COMPLETE))
    with pytest.raises(RefusedError) as refused:
        api_server.apply(deliberation(**COMPLETE | {field: CHANGED[field]}))
    assert forbidden(field) in str(refused.value)


@pytest.mark.parametrize("field", ["context", "requirements", "criteria", "quorum"])
def test_a_field_cannot_be_added_or_removed_later(api_server: ApiServer, field: str) -> None:
    without = {name: value for name, value in COMPLETE.items() if name != field}
    api_server.apply(deliberation("with", **COMPLETE))
    api_server.apply(deliberation("without", **without))
    with pytest.raises(RefusedError) as removed:
        api_server.apply(deliberation("with", **without))
    with pytest.raises(RefusedError) as added:
        api_server.apply(deliberation("without", **COMPLETE))
    assert forbidden(field) in str(removed.value)
    assert forbidden(field) in str(added.value)


def test_a_schema_cannot_be_changed_in_its_depths(api_server: ApiServer) -> None:
    def asking(kind: str) -> Body:
        schema = {"type": "object", "properties": {"port": {"type": kind}}}
        return deliberation(answer={"type": "JSON", "schema": schema})

    stored = api_server.apply(asking("integer"))
    assert stored["spec"]["answer"]["schema"]["properties"] == {"port": {"type": "integer"}}
    with pytest.raises(RefusedError) as refused:
        api_server.apply(asking("string"))
    assert forbidden("answer") in str(refused.value)


def test_cancel_cannot_be_taken_back(api_server: ApiServer) -> None:
    api_server.apply(deliberation())
    assert api_server.apply(deliberation(cancel=True))["spec"]["cancel"] is True
    with pytest.raises(RefusedError) as refused:
        api_server.apply(deliberation(cancel=False))
    assert "spec.cancel: Forbidden: cancel cannot be taken back: create another Deliberation" in str(refused.value)


def rules_of_the_schemas() -> Iterator[str]:
    for kind in KINDS:
        schema = build_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for _, part in walk(schema, kind.name):
            yield from (rule["message"] for rule in part.get("x-kubernetes-validations", ()))


def test_every_rule_has_a_case() -> None:
    shown = [case.rule for case in (*COUNCILS, *DELIBERATIONS)] + [
        "cannot be changed after creation",
        "cancel cannot be taken back",
    ]
    assert [message for message in rules_of_the_schemas() if not any(rule in message for rule in shown)] == []
