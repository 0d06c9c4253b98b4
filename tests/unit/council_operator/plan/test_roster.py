from dataclasses import replace
from typing import Any

import pytest

from council_operator.plan import roster
from council_operator.plan.roster import build_roster, find_roster, runner_name
from council_operator.plan.settings import Images, RenderSettings
from deliberation.api.v1alpha1.vllm import VllmModel
from fakes.bodies import ENDPOINT, SETTINGS, SIMULATED, VLLM, council, council_spec

Body = dict[str, Any]


def roster_of(spec: Body, name: str = "architects", settings: RenderSettings = SETTINGS) -> roster.Roster:
    return build_roster(council(spec, name), settings)


def test_councils_in_different_queues_of_kueue_share_no_runner() -> None:
    plain, queued, same = council(name="a"), council(name="b"), council(name="c")
    for body in (queued, same):
        body["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "team"}
    runners = [build_roster(body, SETTINGS).runner for body in (plain, queued, same)]
    assert runners[0] != runners[1] == runners[2]


def test_every_member_has_its_seats_in_order() -> None:
    spec = council_spec(SIMULATED, seats=2)
    spec["members"].append(
        {"name": "qa", "role": "QA", "modelRef": "small", "instructions": "Doubt.", "weightMilli": 2}
    )
    seats = roster_of(spec).seats
    assert [seat.id for seat in seats] == ["dev-0", "dev-1", "qa-0"]
    assert (seats[2].role, seats[2].instructions, seats[2].weight_milli) == ("QA", "Doubt.", 2)


def test_an_endpoint_is_reached_where_the_user_says_with_a_key_that_only_the_runner_reads() -> None:
    (address,) = roster_of(council_spec(ENDPOINT)).models
    assert address.base_url == "https://llm.example.com/v1"
    assert address.model_name == "big"
    assert address.api_key_file == "llm-key/token"
    assert roster_of(council_spec(ENDPOINT)).servers == ()


def test_an_endpoint_may_be_open() -> None:
    endpoint = {"name": "small", "endpoint": {"url": "http://x/v1", "modelName": "m"}}
    assert roster_of(council_spec(endpoint)).models[0].api_key_file is None
    assert roster_of(council_spec(endpoint)).secrets == ()


def test_a_server_of_ours_is_reached_through_its_service_with_the_namespaces_key() -> None:
    council_roster = roster_of(council_spec(VLLM))
    (address,), (server,) = council_roster.models, council_roster.servers
    assert address.base_url == f"http://{server.name}.team-a.svc:8000/v1"
    assert address.api_key_file == "council-models/api-key"
    assert (address.model_name, address.revision, address.simulated) == ("Qwen/Qwen3-0.6B", "abc123", False)


def test_d7_a_simulated_model_marks_the_whole_council() -> None:
    mixed = roster_of(council_spec(VLLM, {**SIMULATED, "name": "pretender"}))
    assert mixed.is_simulated
    assert [model.simulated for model in mixed.models] == [False, True]
    assert not roster_of(council_spec(VLLM)).is_simulated


def test_councils_share_what_they_declare_alike() -> None:
    one = roster_of(council_spec(SIMULATED, seats=1), "one")
    two = roster_of(council_spec({**SIMULATED, "name": "other"}, seats=9), "two")
    assert [server.name for server in one.servers] == [server.name for server in two.servers]
    assert one.runner == two.runner


def test_models_of_one_council_share_a_server_too() -> None:
    twice = roster_of(council_spec(VLLM, {**VLLM, "name": "again"}))
    assert len(twice.servers) == 1
    assert twice.server_of["small"] == twice.server_of["again"]


def test_what_is_dedicated_is_shared_with_nobody() -> None:
    spec = council_spec({**VLLM, "dedicated": True}, runner={"dedicated": True})
    one, two = roster_of(spec, "one"), roster_of(spec, "two")
    assert one.servers[0].name != two.servers[0].name
    assert one.runner != two.runner


@pytest.mark.parametrize(
    "change",
    [
        {"revision": "def"},
        {"image": "mine"},
        {"maxModelLen": 8192},
        {"gpu": {}},
        {"gpu": {"sharing": "TimeSlicing"}},
        {"gpu": {"memoryPerSlice": "8Gi"}},
        {"gpu": {"slices": 2, "tensorParallel": 2}},
        {"weights": {"size": "2Gi"}},
        {"weights": {"image": {"reference": "registry.example/w:1"}}},
        {"adapters": [{"name": "law", "hub": "org/law"}]},
        {"engineArgs": ["--max-num-seqs=8"]},
        {"podTemplate": {"spec": {"nodeSelector": {"disk": "ssd"}}}},
        {"weights": {"hub": {"cacheClaimName": "cache"}}},
        {"weights": {"persistentVolumeClaim": {"claimName": "w", "path": "m"}}},
    ],
)
def test_d11_every_property_of_a_model_makes_another_server(change: Body) -> None:
    changed = {"name": "small", "vllm": {**VLLM["vllm"], **change}}
    assert roster_of(council_spec(changed)).servers[0].name != roster_of(council_spec(VLLM)).servers[0].name


@pytest.mark.parametrize(
    "change", ["accuracyPercent", "latencyMilliseconds", "failurePercent", "malformedPercent", "seed"]
)
def test_d11_every_property_of_a_simulated_model_makes_another_server(change: str) -> None:
    changed = {"name": "small", "simulated": {**SIMULATED["simulated"], change: 3}}
    assert roster_of(council_spec(changed)).servers[0].name != roster_of(council_spec(SIMULATED)).servers[0].name


@pytest.mark.parametrize(
    "change",
    [
        {"runner": {"maxConcurrentDeliberations": 2}},
        {"runner": {"image": "mine"}},
        {"runner": {"workers": {"min": 0, "max": 1}}},
        {"runner": {"workers": {"min": 1, "max": 1}}},
        {"models": [ENDPOINT]},
    ],
)
def test_d11_what_a_runner_needs_makes_another_runner(change: Body) -> None:
    assert roster_of({**council_spec(), **change}).runner != roster_of(council_spec()).runner


def test_an_image_built_anew_under_its_old_tag_rolls_what_runs_of_it_and_nothing_else() -> None:
    rebuilt = replace(SETTINGS, images=replace(SETTINGS.images, revision="sha256:2"))
    ours, foreign = council_spec(SIMULATED), council_spec(VLLM, runner={"image": "mine"})
    before, after = roster_of(ours), build_roster(council(ours), rebuilt)
    assert before.runner != after.runner
    assert before.servers[0].name != after.servers[0].name
    assert roster_of(foreign).servers == build_roster(council(foreign), rebuilt).servers
    assert roster_of(foreign).runner == build_roster(council(foreign), rebuilt).runner


def test_seats_roles_and_sampling_disturb_neither_server_nor_runner() -> None:
    spec = council_spec(seats=7)
    spec["members"][0] |= {"role": "QA", "instructions": "Doubt.", "sampling": {"temperatureMilli": 1}}
    changed, plain = roster_of(spec), roster_of(council_spec())
    assert changed.servers == plain.servers
    assert changed.runner == plain.runner


def test_images_default_to_the_settings_for_cpu_and_gpu() -> None:
    assert roster_of(council_spec(VLLM)).servers[0].image == SETTINGS.images.vllm_cpu
    on_gpu = {"name": "small", "vllm": {"model": "m", "gpu": {}}}
    assert roster_of(council_spec(on_gpu)).servers[0].image == SETTINGS.images.vllm
    assert roster_of(council_spec()).runner_image == SETTINGS.images.runner


def test_a_new_release_starts_new_servers_beside_the_old_ones() -> None:
    newer = replace(SETTINGS, images=Images("operator:2", "runner:2", "vllm:2", "vllm-cpu:2"))
    before, after = roster_of(council_spec()), roster_of(council_spec(), settings=newer)
    assert before.servers[0].name != after.servers[0].name
    assert before.runner != after.runner


def test_secrets_are_named_once_and_in_order() -> None:
    def endpoint(name: str, secret: str) -> Body:
        reference = {"name": secret, "key": "k"}
        return {"name": name, "endpoint": {"url": "http://x/v1", "modelName": "m", "apiKeySecretRef": reference}}

    assert roster_of(council_spec(endpoint("a", "z"), endpoint("b", "y"), endpoint("c", "z"))).secrets == ("y", "z")


def test_authorities_of_endpoints_are_mounted_by_the_runner_and_found_by_the_seats() -> None:
    reference = {"name": "company", "key": "root.pem"}
    certified = {"name": "small", "endpoint": {**ENDPOINT["endpoint"], "caBundleRef": reference}}
    roster = roster_of(council_spec(certified))
    assert roster.ca_bundles == ("company",)
    assert roster.models[0].ca_bundle_file == "company/root.pem"
    assert roster.runner != roster_of(council_spec(ENDPOINT)).runner


def test_seats_find_every_replica_of_a_server_that_has_several() -> None:
    several = {"name": "small", "vllm": {**VLLM["vllm"], "replicas": 3}}
    roster = roster_of(council_spec(several))
    [server] = roster.servers
    assert roster.models[0].replicas_url == f"http://{server.name}-each.team-a.svc:8000/v1"
    assert roster.models[0].base_url == f"http://{server.name}.team-a.svc:8000/v1"
    assert roster_of(council_spec(VLLM)).models[0].replicas_url is None
    assert server.name == roster_of(council_spec(VLLM)).servers[0].name, "what runs is left alone"


def test_an_impossible_spec_needs_nothing() -> None:
    body = council({"models": [], "members": []})
    assert find_roster(body, SETTINGS) is None
    assert runner_name(body, SETTINGS) == ""


def test_a_possible_spec_is_found() -> None:
    assert find_roster(council(), SETTINGS) == roster_of(council_spec())
    assert runner_name(council(), SETTINGS) == roster_of(council_spec()).runner


def test_every_field_of_a_model_is_tried_above() -> None:
    tried = {
        field
        for mark in test_d11_every_property_of_a_model_makes_another_server.pytestmark  # type: ignore[attr-defined]
        for change in mark.args[1]
        for field in change
    }
    shared = {"idleSeconds", "replicas"}
    assert {field.alias for field in VllmModel.model_fields.values()} - {"model"} == tried | shared
    idle = {"name": "small", "vllm": {**VLLM["vllm"], "idleSeconds": 600}}
    assert roster_of(council_spec(idle)).servers[0].name == roster_of(council_spec(VLLM)).servers[0].name


def test_what_is_stated_as_it_would_be_anyway_makes_no_other_server() -> None:
    stated = {"name": "small", "vllm": {**VLLM["vllm"], "maxModelLen": 4096, "engineArgs": [], "weights": {}}}
    assert roster_of(council_spec(stated)).servers[0].name == roster_of(council_spec(VLLM)).servers[0].name


def test_a_member_with_an_adapter_asks_the_models_server_for_it_by_name() -> None:
    model = {"name": "small", "vllm": {**VLLM["vllm"], "adapters": [{"name": "law", "hub": "org/law"}]}}
    spec = council_spec(model)
    spec["members"] += [{"name": "jurist", "role": "QA", "modelRef": "small", "adapter": "law", "seats": 2}]
    council_roster = roster_of(spec)
    base, adapter = council_roster.models
    assert (adapter.name, adapter.model_name) == ("small/law", "law")
    assert (adapter.base_url, adapter.api_key_file) == (base.base_url, base.api_key_file)
    assert [seat.model for seat in council_roster.seats] == ["small", "small", "small", "small/law", "small/law"]
    assert roster.model_of(adapter) == "small"
    assert len(council_roster.servers) == 1
