from typing import Any

import pytest
from pydantic import ValidationError

from deliberation.api.v1alpha1.council import PRESETS, CouncilSpec, Member, RolePreset
from deliberation.api.v1alpha1.council_status import CouncilStatus

LEAST: dict[str, Any] = {
    "models": [{"name": "small", "simulated": {}}],
    "members": [{"name": "dev", "role": "Developer", "modelRef": "small"}],
}


def with_member(**changes: object) -> dict[str, Any]:
    return {**LEAST, "members": [{**LEAST["members"][0], **changes}]}


def test_a_short_council_has_sensible_defaults() -> None:
    council = CouncilSpec.model_validate(LEAST)
    member = council.members[0]
    assert (member.seats, member.weight_milli, member.sampling.max_tokens) == (1, 1000, 1024)
    assert (council.runner.dedicated, council.runner.max_concurrent_deliberations) == (False, 8)
    assert council.models[0].dedicated is False


def test_a_server_runs_on_the_cpu_unless_a_gpu_is_asked_for() -> None:
    models = [{"name": "a", "vllm": {"model": "m"}}, {"name": "b", "vllm": {"model": "m", "gpu": {}}}]
    cpu, gpu = CouncilSpec.model_validate({**LEAST, "models": models}).models
    assert cpu.vllm is not None
    assert gpu.vllm is not None
    assert cpu.vllm.gpu is None
    assert gpu.vllm.gpu is not None
    assert (gpu.vllm.gpu.sharing, gpu.vllm.gpu.slices, gpu.vllm.gpu.tensor_parallel) == ("Exclusive", 1, 1)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({**LEAST, "models": []}, "models"),
        ({**LEAST, "members": []}, "members"),
        (with_member(seats=0), "members.0.seats"),
        (with_member(seats=65), "members.0.seats"),
        (with_member(name="Dev"), "members.0.name"),
        (with_member(name="d.e"), "members.0.name"),
        (with_member(instructions="x" * 8193), "members.0.instructions"),
        (with_member(sampling={"temperatureMilli": 2001}), "members.0.sampling.temperatureMilli"),
        (with_member(sampling={"temperature": 0.7}), "members.0.sampling.temperature"),
        ({**LEAST, "runner": {"maxConcurrentDeliberations": 0}}, "runner.maxConcurrentDeliberations"),
    ],
)
def test_what_is_out_of_bounds_is_refused_where_it_stands(body: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as refused:
        CouncilSpec.model_validate(body)
    assert ".".join(map(str, refused.value.errors()[0]["loc"])) == place


def test_the_presets_that_messages_name_are_the_presets() -> None:
    assert PRESETS.split(", ") == [preset.value for preset in RolePreset]
    (rule,) = Member.model_json_schema()["x-kubernetes-validations"]
    assert f"{[preset.value for preset in RolePreset]}" in rule["rule"]


def test_a_council_that_nobody_has_seen_says_so() -> None:
    assert CouncilStatus().observed_generation == -1
