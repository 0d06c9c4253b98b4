from typing import Any

import pytest

from council_operator.render import rayjob, workers
from deliberation.api.v1alpha1.council import Runner
from fakes.bodies import SETTINGS, council
from fakes.pod_security import violations

Body = dict[str, Any]


def cluster_of(least: int, most: int) -> Body:
    runner = Runner.model_validate({"workers": {"min": least, "max": most}})
    outfit = rayjob.Outfit("image", rayjob.Mounted(secrets=("llm-key",)), runner)
    body = rayjob.render_ray_job("runner-1", outfit, council(), SETTINGS)
    cluster: Body = body["spec"]["rayClusterSpec"]
    return cluster


def environment(template: Body) -> dict[str, str]:
    return {one["name"]: one["value"] for one in template["spec"]["containers"][0]["env"]}


def test_without_workers_seats_share_the_head_and_nothing_is_scaled() -> None:
    cluster = cluster_of(0, 0)
    assert not {"workerGroupSpecs", "enableInTreeAutoscaling", "autoscalerOptions"} & cluster.keys()
    assert "resources" not in cluster["headGroupSpec"]["rayStartParams"]


@pytest.mark.parametrize(("least", "most", "room"), [(0, 4, 80), (1, 1, 32)])
def test_every_node_has_room_for_as_many_seats(least: int, most: int, room: int) -> None:
    cluster = cluster_of(least, most)
    (group,) = cluster["workerGroupSpecs"]
    assert (group["minReplicas"], group["replicas"], group["maxReplicas"]) == (least, least, most)
    assert group["rayStartParams"]["resources"] == '"{\\"seat\\": 16}"'
    assert cluster["headGroupSpec"]["rayStartParams"]["resources"] == group["rayStartParams"]["resources"]
    assert environment(cluster["headGroupSpec"]["template"])["COUNCIL_SEATS_WITH_ROOM"] == str(room)


def test_a_seat_finds_on_a_worker_what_it_finds_on_the_head() -> None:
    cluster = cluster_of(1, 1)
    assert cluster["workerGroupSpecs"][0]["template"] == cluster["headGroupSpec"]["template"]


def test_workers_take_no_gpu_and_keep_to_the_restricted_profile() -> None:
    template = cluster_of(0, 2)["workerGroupSpecs"][0]["template"]
    assert "gpu" not in str(template).lower()
    assert violations(template["spec"]) == []


def test_a_fixed_number_of_workers_needs_no_autoscaler() -> None:
    assert "enableInTreeAutoscaling" not in cluster_of(2, 2)


def test_only_the_autoscaler_gets_a_token_of_the_api_server() -> None:
    cluster = cluster_of(0, 2)
    assert cluster["enableInTreeAutoscaling"] is True
    head = cluster["headGroupSpec"]["template"]["spec"]
    assert head["automountServiceAccountToken"] is False
    token = [volume["name"] for volume in head["volumes"] if "projected" in volume]
    assert token == ["autoscaler-token"]
    assert token[0] not in [mount["name"] for mount in head["containers"][0]["volumeMounts"]]
    mounts = {mount["name"]: mount for mount in cluster["autoscalerOptions"]["volumeMounts"]}
    assert mounts[token[0]]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert cluster["workerGroupSpecs"][0]["groupName"] == workers.GROUP
    assert "autoscaler-token" not in str(cluster["workerGroupSpecs"])


def test_the_autoscaler_keeps_to_the_restricted_profile() -> None:
    cluster = cluster_of(0, 2)
    head = cluster["headGroupSpec"]["template"]["spec"]
    beside = {"name": "autoscaler", "securityContext": cluster["autoscalerOptions"]["securityContext"]}
    assert violations({**head, "containers": [*head["containers"], beside]}) == []
