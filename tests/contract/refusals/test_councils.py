"""What the API server refuses of a Council, and what it tells the user: every rule of the schema has its case here."""

from typing import Any

import pytest

from contract.api_server import ApiServer
from contract.objects import DEVELOPER, SIMULATED, council
from contract.refusals.cases import Case, assert_refused, find_rules_without_a_case
from deliberation.api.v1alpha1.kinds import COUNCIL

pytestmark = [pytest.mark.contract, pytest.mark.timeout(180)]

Body = dict[str, Any]


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
        "a runner's sleep that is too short",
        council(runner={"idleSeconds": 59}),
        "runner.idleSeconds",
        "idleSeconds must be 0, which is never, or at least 60",
    ),
    Case(
        "a runner of a mode that there is not",
        council(runner={"mode": "Cold"}),
        "spec.runner.mode",
        'supported values: "Warm", "PerDeliberation"',
    ),
    Case(
        "a dedicated runner where none is kept",
        council(runner={"mode": "PerDeliberation", "dedicated": True}),
        "spec.runner.dedicated",
        "dedicated is for a runner of mode Warm",
    ),
    Case(
        "a sleep of a runner where none is kept",
        council(runner={"mode": "PerDeliberation", "idleSeconds": 600}),
        "spec.runner.idleSeconds",
        "idleSeconds is for a runner of mode Warm",
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
    Case(
        "replicas on slices",
        vllm(gpu={"sharing": "TimeSlicing"}, replicas=2),
        "replicas",
        "take sharing Exclusive or MIG, or one replica",
    ),
    Case(
        "replicas on one cache volume",
        vllm(weights={"hub": {"cacheClaimName": "cache"}}, replicas=2),
        "replicas",
        "leave weights.hub.cacheClaimName out",
    ),
    Case(
        "authorities without a certificate",
        model(endpoint={"url": "http://x/v1", "modelName": "m", "caBundleRef": {"name": "ca", "key": "ca.crt"}}),
        "caBundleRef",
        "use https:// or remove caBundleRef",
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


@pytest.mark.parametrize("case", COUNCILS, ids=str)
def test_refusal_names_the_field_and_the_rule(installed: ApiServer, case: Case) -> None:
    assert_refused(installed, case)


def test_every_rule_has_a_case() -> None:
    assert find_rules_without_a_case(COUNCIL, [case.rule for case in COUNCILS]) == []
