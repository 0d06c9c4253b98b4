from typing import Any

from council_operator.plan.gpu import plan_observed
from council_operator.plan.roster import build_roster
from council_operator.status.conditions import Finding
from council_operator.status.gpu import find_gpu_plan
from deliberation.api.v1alpha1.council_status import GpuPlanStatus
from fakes.bodies import SETTINGS, VLLM, council, council_spec
from fakes.fake_nodes import fake_gpu_node
from fakes.fake_world import FakeWorld

Body = dict[str, Any]


def on_gpu(name: str, **gpu: Any) -> Body:
    return {"name": name, "vllm": {**VLLM["vllm"], "gpu": gpu}}


def find(*models: Body, nodes: list[Body] | None) -> tuple[Finding | None, GpuPlanStatus | None]:
    world = FakeWorld(nodes=nodes)
    world.create(council(council_spec(*models)))
    observed = world.observe_council("architects")
    gpus = plan_observed(observed.gpu, frozenset(), SETTINGS, observed.now_ms)
    return find_gpu_plan(observed, build_roster(observed.body, SETTINGS), gpus, SETTINGS)


def test_a_council_without_gpus_has_no_such_condition() -> None:
    assert find(VLLM, nodes=[]) == (None, None)


def test_a_model_that_is_refused_is_named_and_one_that_is_not_is_left_out() -> None:
    finding, plan = find(on_gpu("whole"), on_gpu("slice", sharing="MPS"), nodes=[fake_gpu_node()])
    assert finding is not None
    assert (finding.type, finding.status, finding.reason) == ("GPUPlanValid", False, "GPUSlicesUnavailable")
    assert finding.message.startswith("model slice: asked for 1 x nvidia.com/gpu with sharing MPS; ")
    assert "model whole" not in finding.message
    assert plan is not None
    assert "mps:" in plan.config_map


def test_a_device_of_unknown_size_is_said_to_be_unchecked() -> None:
    bare = {"metadata": {"name": "bare"}, "status": {"allocatable": {"nvidia.com/gpu": "1"}}}
    finding, _ = find(on_gpu("whole"), nodes=[bare])
    assert finding is not None
    assert finding.status is True
    assert "no label nvidia.com/gpu.memory tells" in finding.message


def test_a_configuration_fits_into_the_status_whatever_is_asked_for() -> None:
    models = [on_gpu(f"m{index}", sharing="TimeSlicing", resourceName="nvidia.com/gpu.shared") for index in range(8)]
    _, plan = find(*models, nodes=[fake_gpu_node()])
    assert plan is not None
    assert len(plan.config_map) < 2048
