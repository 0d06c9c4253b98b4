import pytest

from fault_campaign.containers import NoContainerError, container_of

POD = {"metadata": {"name": "head"}, "spec": {"containers": [{"name": "ray-head"}, {"name": "autoscaler"}]}}


def test_the_first_container_is_meant_however_the_status_is_sorted() -> None:
    statuses = [
        {"name": "autoscaler", "containerID": "containerd://b", "state": {"running": {}}},
        {"name": "ray-head", "containerID": "containerd://a", "state": {"running": {}}},
    ]
    assert container_of({**POD, "status": {"containerStatuses": statuses}}) == "a"


@pytest.mark.parametrize("state", [{"waiting": {}}, {"terminated": {}}])
def test_one_that_does_not_run_cannot_be_killed(state: dict[str, object]) -> None:
    statuses = [{"name": "ray-head", "containerID": "containerd://a", "state": state}]
    with pytest.raises(NoContainerError, match="pod head has no running container"):
        container_of({**POD, "status": {"containerStatuses": statuses}})
