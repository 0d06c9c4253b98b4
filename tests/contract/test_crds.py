"""What the real API server makes of our kinds: defaults, status, merging, tables."""

import json

import pytest

from contract.api_server import ApiServer, Body, RefusedError
from contract.objects import DEVELOPER, SIMULATED, condition, council, deliberation, status_of
from deliberation.api.v1alpha1.council import CouncilSpec
from deliberation.api.v1alpha1.council_status import CouncilStatus
from deliberation.api.v1alpha1.deliberation import DeliberationSpec
from deliberation.api.v1alpha1.deliberation_status import DeliberationStatus
from generate_crds import UNOBSERVED

pytestmark = [pytest.mark.contract, pytest.mark.timeout(180)]

OPERATOR = "council-operator-status"

RUNNER: Body = {"mode": "Warm", "maxConcurrentDeliberations": 8, "workers": {"min": 0, "max": 0}, "idleSeconds": 0}
"""What the server makes of a runner of which nothing is said but whether it is dedicated."""

COUNCIL_STATUS: Body = {
    "observedGeneration": 1,
    "conditions": [condition("Ready", "False", "ModelStarting")],
    "models": [
        {
            "name": "small",
            "ready": True,
            "simulated": True,
            "endpoint": "http://model-1.default.svc:8000/v1",
            "modelName": "small",
            "revision": "r1",
            "deployment": "model-1",
            "adapters": ["law"],
            "gpu": {"resource": "nvidia.com/gpu", "slices": 1, "memoryUtilizationPercent": 23, "node": "gpu-a"},
            "message": "up",
        }
    ],
    "modelCount": "0/1",
    "members": [{"name": "dev", "seats": 3, "readySeats": 2}],
    "seatCount": "2/3",
    "simulated": True,
    "gpuPlan": {"configMap": "kind: ConfigMap\n"},
    "runner": {"rayJob": "runner-1", "rayCluster": "runner-1-x", "phase": "Running"},
    "queue": {"queued": 4, "running": 1, "suspended": 2, "finished": 7},
}

PROPOSAL: Body = {
    "id": "dev-0",
    "rank": 1,
    "tiedWith": ["dev-1"],
    "member": "dev",
    "seat": "dev-0",
    "model": "small",
    "answer": "Postgres",
    "truncated": False,
    "sha256": "0" * 64,
    "scoreMilli": -250,
    "stderrMilli": 10,
    "criteria": [{"name": "clarity", "meanMilli": 4000, "ballots": 2}],
    "ballots": 2,
    "firstPlaceVotes": 1,
    "pairwiseWins": 2,
    "votesMilli": 1000,
    "tokens": 12,
}

DELIBERATION_STATUS: Body = {
    "observedGeneration": 1,
    "phase": "Succeeded",
    "conditions": [condition("Succeeded", "True", "Succeeded")],
    "startTime": "2026-01-01T00:00:00Z",
    "completionTime": "2026-01-01T00:00:02Z",
    "attempt": 1,
    "council": "c0ffee",
    "queue": {"position": 5},
    "runner": {"rayJob": "d-0123456789-a1", "attempt": 1},
    "progress": {"stage": "judge", "proposals": 3, "expected": 3, "ballots": 3, "abstentions": 1},
    "strategy": {"resolved": "Panel", "reason": "answer.type is Text"},
    "simulated": True,
    "answer": "Postgres, for its backups",
    "result": {
        "answer": "Postgres",
        "type": "Text",
        "unit": "GiB",
        "proposalId": "dev-0",
        "synthesised": False,
        "rationale": "because",
        "tied": False,
    },
    "proposals": [PROPOSAL],
    "votes": {
        "counts": [{"answer": "Postgres", "seats": 2, "weightMilli": 2000}],
        "winnerShareMilli": 1000,
        "marginMilli": 500,
        "abstentions": [{"seat": "dev-2", "stage": "judge", "round": 0, "reason": "Truncated", "message": ""}],
    },
    "dissent": [{"seats": ["dev-1"], "proposals": 1, "position": "MySQL", "reason": "known"}],
    "agreement": {
        "summary": "W=0.84",
        "kendallWMilli": 840,
        "pairwiseMilli": 900,
        "condorcetWinner": "dev-0",
        "cycle": False,
        "judges": 3,
    },
    "diversity": {"meanDistanceMilli": 700, "clusters": 2, "models": 1},
    "effectiveVotes": {"upperBound": 1},
    "bias": {"positionConsistencyMilli": 900, "lengthScoreCorrelationMilli": -100},
    "baseline": {"answer": "MySQL", "winnerShareMilli": 500, "marginMilli": 0, "changed": True},
    "warnings": ["LowAgreement"],
    "usage": {
        "calls": 6,
        "repeatedCalls": 1,
        "promptTokens": 10,
        "cachedTokens": 4,
        "completionTokens": 5,
        "totalTokens": 15,
        "byStage": [{"name": "propose", "calls": 3, "promptTokens": 5, "completionTokens": 2}],
        "wallMilliseconds": 2000,
    },
    "reproducibility": {
        "seed": 42,
        "promptSha256": "0" * 64,
        "engineVersion": "0.1.0",
        "models": [{"name": "small", "model": "small", "revision": "r1", "simulated": True}],
    },
    "transcriptRef": {"stream": "COUNCIL_LEDGER", "subject": "council.v1.default.ledger.u.1.>", "sha256": "0" * 64},
}


def largest_council() -> Body:
    models = [{"name": f"m{i}", "vllm": {"model": "x" * 256}} for i in range(8)]
    members = [
        {"name": f"{i:x}" + "e" * 39, "role": "R" * 63, "seats": 4, "modelRef": "m7", "instructions": "x" * 2048}
        for i in range(16)
    ]
    return council("c" * 63, models=models, members=members)


def largest_deliberation() -> Body:
    return deliberation(
        question="x" * 65_536,
        context=[{"name": f"c{i}", "text": "y" * 8192} for i in range(8)],
        requirements=["r" * 1024] * 32,
        criteria=[{"name": f"c{i}", "description": "d" * 512} for i in range(8)],
        answer={"type": "Choice", "choices": [f"{i:02}" + "c" * 126 for i in range(26)]},
    )


def test_absent_fields_are_filled_in_at_every_depth(api_server: ApiServer) -> None:
    spec = api_server.apply(council())["spec"]
    assert spec["runner"] == {**RUNNER, "dedicated": False}
    assert spec["members"][0] == {
        **DEVELOPER,
        "seats": 1,
        "weightMilli": 1000,
        "sampling": {"temperatureMilli": 700, "topPMilli": 950, "maxTokens": 1024},
    }
    assert spec["models"][0]["simulated"]["accuracyPercent"] == 70


def test_a_half_given_object_is_completed(api_server: ApiServer) -> None:
    spec = api_server.apply(council(runner={"dedicated": True}))["spec"]
    assert spec["runner"] == {**RUNNER, "dedicated": True}


@pytest.mark.parametrize(("body", "model"), [(council(), CouncilSpec), (deliberation(), DeliberationSpec)])
def test_the_server_fills_in_what_the_models_would(
    api_server: ApiServer, body: Body, model: type[CouncilSpec | DeliberationSpec]
) -> None:
    stored = api_server.apply(body)["spec"]
    assert model.model_validate(stored) == model.model_validate(body["spec"])


def test_the_largest_objects_are_accepted(api_server: ApiServer) -> None:
    api_server.apply(largest_council())
    body = largest_deliberation()
    api_server.apply(body)
    body["spec"]["cancel"] = True
    assert api_server.apply(body)["spec"]["cancel"] is True


def test_unknown_fields_are_dropped_where_validation_is_off(api_server: ApiServer) -> None:
    stored = api_server.kubectl(
        "create", "--validate=ignore", "--output=json", "--filename=-", stdin=json.dumps(council(wishes=1))
    )
    assert "wishes" not in stored


@pytest.mark.parametrize("body", [council(), deliberation()], ids=["council", "deliberation"])
def test_a_new_object_says_that_nobody_has_seen_it(api_server: ApiServer, body: Body) -> None:
    assert api_server.apply(body)["status"] == UNOBSERVED
    assert api_server.get(body["kind"], body["metadata"]["name"])["status"] == UNOBSERVED


def test_a_user_cannot_write_the_status_beside_the_spec(api_server: ApiServer) -> None:
    forged = deliberation() | {"status": {"observedGeneration": 9, "phase": "Succeeded"}}
    assert api_server.apply(forged)["status"] == UNOBSERVED


def test_writing_the_status_leaves_spec_and_generation(api_server: ApiServer) -> None:
    before = api_server.apply(deliberation())
    change = status_of("Deliberation", "deliberation", {"observedGeneration": 1, "phase": "Queued"})
    after = api_server.apply_status(change | {"spec": {**before["spec"], "cancel": True}}, OPERATOR)
    assert after["status"]["phase"] == "Queued"
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == 1
    assert api_server.apply(deliberation(cancel=True))["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("body", "status", "model"),
    [(council(), COUNCIL_STATUS, CouncilStatus), (deliberation(), DELIBERATION_STATUS, DeliberationStatus)],
    ids=["council", "deliberation"],
)
def test_every_field_of_a_status_is_kept(
    api_server: ApiServer, body: Body, status: Body, model: type[CouncilStatus | DeliberationStatus]
) -> None:
    api_server.apply(body)
    written = model.model_validate(status).to_json()
    stored = api_server.apply_status(status_of(body["kind"], body["metadata"]["name"], written), OPERATOR)
    assert written == status
    assert stored["status"] == status
    assert {field.alias for field in model.model_fields.values()} == set(status)


def test_conditions_of_two_writers_live_side_by_side(api_server: ApiServer) -> None:
    api_server.apply(council())

    def write(manager: str, *types: str) -> list[str]:
        status = {"conditions": [condition(each) for each in types]}
        stored = api_server.apply_status(status_of("Council", "council", status), manager)
        return sorted(each["type"] for each in stored["status"]["conditions"])

    assert write("one", "Ready", "BusReady") == ["BusReady", "Ready"]
    assert write("two", "Audited") == ["Audited", "BusReady", "Ready"]
    assert write("one", "Ready") == ["Audited", "Ready"]


def test_members_of_two_owners_live_side_by_side(api_server: ApiServer) -> None:
    api_server.apply(council(), "--field-manager=one")
    more = {"members": [{"name": "qa", "role": "QA", "modelRef": "small"}], "models": [SIMULATED]}
    stored = api_server.apply({**council(), "spec": more}, "--field-manager=two")
    assert [member["name"] for member in stored["spec"]["members"]] == ["dev", "qa"]


def test_a_condition_of_unknown_status_is_refused(api_server: ApiServer) -> None:
    api_server.apply(council())
    status = {"conditions": [condition("Ready", status="Perhaps")]}
    with pytest.raises(RefusedError, match='supported values: "True", "False", "Unknown"'):
        api_server.apply_status(status_of("Council", "council", status), OPERATOR)


def test_the_table_of_councils(api_server: ApiServer) -> None:
    api_server.apply(council())
    api_server.apply_status(status_of("Council", "council", COUNCIL_STATUS), OPERATOR)
    heading, row = api_server.table("council")
    assert heading == ["NAME", "READY", "MODELS", "SEATS", "QUEUED", "RUNNING", "REASON", "AGE"]
    assert row[:-1] == ["council", "False", "0/1", "2/3", "4", "1", "ModelStarting"]


def test_the_table_of_deliberations(api_server: ApiServer) -> None:
    api_server.apply(deliberation())
    api_server.apply_status(status_of("Deliberation", "deliberation", DELIBERATION_STATUS), OPERATOR)
    heading, row = api_server.table("deliberation")
    assert heading == ["NAME", "COUNCIL", "PHASE", "ANSWER", "AGREEMENT", "PROPOSALS", "TOKENS", "AGE"]
    assert row[:-1] == ["deliberation", "council", "Succeeded", "Postgres, for its backups", "W=0.84", "3", "15"]
    heading, row = api_server.table("deliberation", "--output=wide")
    assert row[heading.index("STRATEGY")] == "Panel"
    assert row[heading.index("REASON")] == "Succeeded"


def test_short_names_and_the_category_find_the_objects(api_server: ApiServer) -> None:
    api_server.apply(council())
    api_server.apply(deliberation())
    found = {word: api_server.kubectl("get", word, "--output=name").split() for word in ("cncl", "delib", "councils")}
    assert found["cncl"] == found["councils"] == ["council.councils.dev/council"]
    assert found["delib"] == ["deliberation.councils.dev/deliberation"]
    assert api_server.kubectl("get", "council-operator", "--output=name").split() == found["cncl"] + found["delib"]


def test_deliberations_are_selected_by_their_council(api_server: ApiServer) -> None:
    api_server.apply(deliberation("mine"))
    api_server.apply(deliberation("other", councilRef={"name": "other"}))
    selected = api_server.kubectl("get", "delib", "--field-selector=spec.councilRef.name=council", "--output=name")
    assert selected.split() == ["deliberation.councils.dev/mine"]


def test_the_server_explains_the_fields(installed: ApiServer) -> None:
    assert "Most tokens of one answer" in installed.kubectl("explain", "council.spec.members.sampling.maxTokens")


@pytest.mark.parametrize("kind", ["councils", "deliberations"])
def test_the_definitions_have_no_fault(installed: ApiServer, kind: str) -> None:
    conditions = installed.get("crd", f"{kind}.councils.dev")["status"]["conditions"]
    found = {each["type"]: each["status"] for each in conditions}
    assert found == {"NamesAccepted": "True", "Established": "True"}
