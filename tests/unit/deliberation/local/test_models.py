from typing import Any

import pytest

from council_operator.plan.roster import build_roster
from deliberation.local.faults import BadInputError
from deliberation.local.manifests import Manifests, read_manifests
from deliberation.local.models import map_models, serving
from deliberation.local.options import Endpoint, Options
from deliberation.local.running import RENDER
from deliberation.models.client import ChatClient
from deliberation.protocol.chat import Access
from deliberation.protocol.tasks import ModelAddress
from fakes.manifests import SIMULATED, council, deliberation, text

Body = dict[str, Any]

VLLM: Body = {"name": "small", "vllm": {"model": "org/model", "revision": "abc"}}
SECRET = {"name": "llm", "key": "token"}
ENDPOINT: Body = {"name": "small", "endpoint": {"url": "https://llm.example.com/v1", "modelName": "m"}}
KEYED: Body = {"name": "small", "endpoint": {**ENDPOINT["endpoint"], "apiKeySecretRef": SECRET}}


def manifests(*models: Body) -> Manifests:
    return read_manifests(text(council(models=list(models)), deliberation()))


def map_one(model: Body, **options: Any) -> tuple[Body, dict[str, str]]:
    mapped, keys = map_models(manifests(model), Options(**options))
    return mapped.councils[0]["spec"]["models"][0], keys


def faults(model: Body, **options: Any) -> tuple[str, ...]:
    with pytest.raises(BadInputError) as refused:
        map_one(model, **options)
    return refused.value.faults


def test_endpoints_and_simulated_models_stay_as_they_are() -> None:
    assert map_one(ENDPOINT) == (ENDPOINT, {})
    assert map_one(SIMULATED) == (SIMULATED, {})


def test_a_vllm_model_needs_an_endpoint_and_is_told_how() -> None:
    [fault] = faults(VLLM)
    assert fault == (
        "Council devs: spec.models[small] is a vLLM server, which only a cluster runs: name one that runs already, "
        "as --endpoint small=http://127.0.0.1:8000/v1,org/model"
    )


def test_an_endpoint_serves_the_declared_model_unless_it_names_another() -> None:
    url = "http://127.0.0.1:8000/v1"
    declared, _ = map_one(VLLM, endpoints={"small": Endpoint(url)})
    named, _ = map_one(VLLM, endpoints={"small": Endpoint(url, "other")})
    assert declared == {"name": "small", "endpoint": {"url": url, "modelName": "org/model"}}
    assert named["endpoint"]["modelName"] == "other"


def test_adapters_are_asked_for_at_the_endpoint_that_stands_in() -> None:
    lora = {"name": "small", "vllm": {"model": "org/model", "adapters": [{"name": "terse", "hub": "org/terse"}]}}
    members = [{"name": "dev", "role": "Developer", "modelRef": "small", "adapter": "terse"}]
    given = read_manifests(text(council(models=[lora], members=members), deliberation()))
    mapped, _ = map_models(given, Options(endpoints={"small": Endpoint("http://127.0.0.1:8000/v1")}))
    addresses = build_roster(mapped.councils[0], RENDER).models
    assert [(one.name, one.base_url, one.model_name) for one in addresses] == [
        ("small", "http://127.0.0.1:8000/v1", "org/model"),
        ("small/terse", "http://127.0.0.1:8000/v1", "terse"),
    ]


def test_the_declared_key_goes_to_the_endpoint_that_stands_in() -> None:
    model, keys = map_one(KEYED, endpoints={"small": Endpoint("http://x/v1")}, api_keys={"small": "sk"})
    assert model["endpoint"] == {"url": "http://x/v1", "modelName": "m", "apiKeySecretRef": SECRET}
    assert keys == {"secrets/llm/token": "sk"}


def test_a_key_for_a_model_without_a_secret_gets_a_place_of_its_own() -> None:
    model, keys = map_one(VLLM, endpoints={"small": Endpoint("http://x/v1")}, api_keys={"small": "sk"})
    assert model["endpoint"]["apiKeySecretRef"] == {"name": "small", "key": "api-key"}
    assert keys == {"secrets/small/api-key": "sk"}


def test_a_secret_without_a_key_is_told() -> None:
    [fault] = faults(KEYED)
    assert fault.endswith("takes its key from Secret llm: tell where it is, as --api-key small=env:VARIABLE")


def test_a_key_that_would_leave_its_folder_is_refused() -> None:
    hostile = {"name": "small", "endpoint": {**ENDPOINT["endpoint"], "apiKeySecretRef": {"name": "llm", "key": ".."}}}
    [fault] = faults(hostile, api_keys={"small": "sk"})
    assert "apiKeySecretRef.key is .." in fault


CERTIFIED: Body = {
    "name": "small",
    "endpoint": {**ENDPOINT["endpoint"], "caBundleRef": {"name": "company", "key": "root"}},
}


def test_declared_authorities_come_from_a_file() -> None:
    model, files = map_one(CERTIFIED, ca_bundles={"small": "PEM"})
    assert model == CERTIFIED
    assert files == {"certificates/company/root": "PEM"}
    [fault] = faults(CERTIFIED)
    assert fault.endswith(
        "takes its authorities from ConfigMap company: tell where they are, as --ca-bundle small=PATH"
    )


def test_authorities_go_with_the_endpoint_that_stands_in_if_it_has_a_certificate() -> None:
    model, files = map_one(VLLM, endpoints={"small": Endpoint("https://x/v1")}, ca_bundles={"small": "PEM"})
    assert model["endpoint"]["caBundleRef"] == {"name": "small", "key": "ca.crt"}
    assert files == {"certificates/small/ca.crt": "PEM"}
    plain, none = map_one(CERTIFIED, endpoints={"small": Endpoint("http://x/v1")})
    assert plain["endpoint"] == {"url": "http://x/v1", "modelName": "m"}
    assert none == {}
    [fault] = faults(VLLM, endpoints={"small": Endpoint("http://x/v1")}, ca_bundles={"small": "PEM"})
    assert "is asked over http" in fault


def test_a_simulated_model_takes_no_endpoint_and_no_key() -> None:
    [fault] = faults(SIMULATED, endpoints={"small": Endpoint("http://x/v1")})
    assert "spec.models[small] is simulated: declare an endpoint in its place" in fault
    assert faults(SIMULATED, api_keys={"small": "sk"}) == (fault,)
    assert faults(SIMULATED, ca_bundles={"small": "PEM"}) == (fault,)


def test_an_option_for_no_model_is_refused() -> None:
    wrong = {"endpoints": {"large": Endpoint("http://x/v1")}, "api_keys": {"huge": "sk"}, "ca_bundles": {"vast": "PEM"}}
    assert faults(ENDPOINT, **wrong) == (
        "--endpoint large: no Council has a model of that name",
        "--api-key huge: no Council has a model of that name",
        "--ca-bundle vast: no Council has a model of that name",
    )


async def test_simulated_models_are_served_once_for_all_councils_that_declare_them() -> None:
    other = {"name": "other", "simulated": {**SIMULATED["simulated"], "seed": 7}}
    councils = read_manifests(text(council("a"), council("b", [SIMULATED, other]), deliberation(council="a"))).councils
    client = ChatClient()
    async with serving(councils, RENDER) as servers:
        first, second = (servers.relocate(build_roster(one, RENDER).models, one) for one in councils)
        probes = [await client.probe(address, Access()) for address in (*first, *second)]
    await client.close()
    assert first[0].base_url == second[0].base_url != second[1].base_url
    assert [probe.reason for probe in probes] == [None, None, None]


async def test_an_endpoint_stays_where_it_is() -> None:
    [one] = manifests(ENDPOINT).councils
    async with serving([one], RENDER) as servers:
        assert servers.relocate(build_roster(one, RENDER).models, one) == (
            ModelAddress(name="small", base_url="https://llm.example.com/v1", model_name="m"),
        )
        assert servers.counts == {}
