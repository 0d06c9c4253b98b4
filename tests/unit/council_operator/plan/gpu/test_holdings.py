import json
from typing import Any

import pytest

from council_operator.plan.gpu.holdings import read_holding, write_holding
from council_operator.plan.gpu.memory import Share
from council_operator.plan.gpu.nodes import read_offers
from council_operator.plan.gpu.placing import Holding, Placement, ServerId
from fakes.fake_nodes import fake_gpu_node

POOL = read_offers([fake_gpu_node(replicas=4)])[0].pool
WRITTEN = write_holding(Placement(POOL, 2, Share(23, None, None)))


def deployment(text: Any) -> dict[str, Any]:
    annotations = {} if text is None else {"councils.dev/gpu": text}
    return {"metadata": {"namespace": "team", "name": "m", "annotations": annotations}, "spec": {"replicas": 1}}


def test_what_is_written_is_read() -> None:
    assert read_holding(deployment(WRITTEN)) == Holding(ServerId("team", "m"), POOL, 2)


def test_replicas_are_remembered() -> None:
    several = write_holding(Placement(POOL, 2, Share(23, None, None), replicas=3))
    assert read_holding(deployment(several)) == Holding(ServerId("team", "m"), POOL, 2, replicas=3)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        "{}",
        "no json",
        '{"pool": 1, "slices": 1}',
        WRITTEN.replace("TimeSlicing", "Other"),
        '{"pool":{}}',
    ],
)
def test_what_somebody_wrote_over_is_no_holding(text: Any) -> None:
    assert read_holding(deployment(text)) is None


def test_fields_of_another_version_are_no_holding() -> None:
    content = json.loads(WRITTEN)
    content["pool"]["colour"] = "green"
    assert read_holding(deployment(json.dumps(content))) is None
