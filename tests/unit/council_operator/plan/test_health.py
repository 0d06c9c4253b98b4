from datetime import UTC, datetime
from typing import Any

import pytest

from council_operator.plan import health
from council_operator.plan.health import RunnerState, Trouble
from fakes.bodies import NOW_MS

Body = dict[str, Any]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, RunnerState.STARTING),
        ({"jobDeploymentStatus": "Initializing"}, RunnerState.STARTING),
        ({"jobDeploymentStatus": "Suspended"}, RunnerState.STARTING),
        ({"jobDeploymentStatus": "Retrying", "jobStatus": "FAILED"}, RunnerState.STARTING),
        ({"jobDeploymentStatus": "Running", "jobStatus": ""}, RunnerState.RUNNING),
        ({"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}, RunnerState.RUNNING),
        ({"jobDeploymentStatus": "Running", "jobStatus": "STOPPED"}, RunnerState.STARTING),
        ({"jobDeploymentStatus": "Failed", "jobStatus": "RUNNING"}, RunnerState.ENDED),
        (
            {"jobDeploymentStatus": "Failed", "jobStatus": "", "reason": "JobStatusCheckTimeoutExceeded"},
            RunnerState.ENDED,
        ),
        ({"jobDeploymentStatus": "Waiting"}, RunnerState.STARTING),
        ({"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"}, RunnerState.ENDED),
        ({"jobDeploymentStatus": "ValidationFailed"}, RunnerState.ENDED),
    ],
)
def test_the_deployments_status_goes_before_the_jobs(status: Body, state: RunnerState) -> None:
    assert health.read_runner({"metadata": {}, "status": status}) is state


def test_a_missing_ray_job_is_absent() -> None:
    assert health.read_runner(None) is RunnerState.ABSENT


def head_of(runner: str, started_at: str | None) -> Body:
    state = {"running": {"startedAt": started_at}} if started_at else {"waiting": {}}
    head_labels = {"app.kubernetes.io/instance": runner, "ray.io/node-type": "head"}
    autoscaler = {"name": "autoscaler", "state": {"running": {"startedAt": "2026-09-21T15:00:00Z"}}}
    statuses = [autoscaler, {"name": "ray", "state": state}]
    return {"metadata": {"labels": head_labels}, "status": {"containerStatuses": statuses}}


@pytest.mark.parametrize(
    ("info", "pods", "is_lost"),
    [
        ({"startTime": "2026-09-21T14:13:20Z"}, (), False),
        ({"startTime": "2026-09-21T14:13:20Z"}, (head_of("runner-1", "2026-09-21T14:12:00Z"),), False),
        ({"startTime": "2026-09-21T14:13:20Z"}, (head_of("runner-1", "2026-09-21T14:15:00Z"),), True),
        ({"startTime": "2026-09-21T14:13:20Z"}, (head_of("runner-2", "2026-09-21T14:15:00Z"),), False),
        ({"startTime": "2026-09-21T14:13:20Z"}, (head_of("runner-1", None),), False),
        ({}, (head_of("runner-1", "2026-09-21T14:15:00Z"),), False),
    ],
)
def test_a_job_dies_with_its_head(info: Body, pods: tuple[Body, ...], *, is_lost: bool) -> None:
    ray_job = {"metadata": {"name": "runner-1"}, "status": {"rayJobInfo": info}}
    assert health.has_lost_its_head(ray_job, pods) is is_lost


@pytest.mark.parametrize(
    ("head_started_at", "is_forgotten"),
    [("2026-09-21T14:12:00Z", False), ("2026-09-21T14:12:20Z", False), ("2026-09-21T14:12:19Z", True)],
)
def test_kuberay_has_a_minute_to_submit_the_job_to_the_next_head(head_started_at: str, *, is_forgotten: bool) -> None:
    ray_job = {"metadata": {"name": "runner-1"}, "status": {"rayJobInfo": {"startTime": "2026-09-21T14:12:10Z"}}}
    assert health.is_forgotten(ray_job, (head_of("runner-1", head_started_at),), NOW_MS) is is_forgotten


def without_runner_since(since: str, status: str = "False") -> Body:
    return {"status": {"conditions": [{"type": "RunnerReady", "status": status, "lastTransitionTime": since}]}}


@pytest.mark.parametrize(
    ("council", "next_start"),
    [
        ({}, "2026-09-21T14:02:00Z"),
        (without_runner_since("2026-09-21T13:59:30Z"), "2026-09-21T14:02:00Z"),
        (without_runner_since("2026-09-21T13:55:00Z"), "2026-09-21T14:05:00Z"),
        (without_runner_since("2026-09-21T09:00:00Z"), "2026-09-21T14:30:00Z"),
        (without_runner_since("2026-09-21T14:10:00Z"), "2026-09-21T14:02:00Z"),
        (without_runner_since("2026-09-21T09:00:00Z", "True"), "2026-09-21T14:02:00Z"),
    ],
)
def test_a_runner_that_keeps_failing_is_started_ever_more_rarely(council: Body, next_start: str) -> None:
    ray_job = {"metadata": {"creationTimestamp": "2026-09-21T14:00:00Z"}}
    at_ms = health.parse_time_ms(next_start)
    assert health.find_next_start_ms(ray_job, council) == at_ms
    assert not health.may_start_again(ray_job, council, at_ms - 1)
    assert health.may_start_again(ray_job, council, at_ms)


def test_one_without_an_age_is_not_replaced() -> None:
    assert not health.may_start_again({"metadata": {}}, {}, NOW_MS)


def test_the_time_between_two_starts_doubles() -> None:
    """Each runner ends at once and is replaced as soon as it may be; the first came when the Council did."""
    council, created_ms = without_runner_since("2026-09-21T14:00:00Z"), health.parse_time_ms("2026-09-21T14:00:00Z")
    minutes = []
    for _ in range(7):
        created = datetime.fromtimestamp(created_ms / 1000, UTC).isoformat()
        next_ms = health.find_next_start_ms({"metadata": {"creationTimestamp": created}}, council)
        assert next_ms
        minutes.append((next_ms - created_ms) / 60_000)
        created_ms = next_ms
    assert minutes == [2, 2, 4, 8, 16, 30, 30]


def deployment(generation: int = 1, **status: Any) -> Body:
    return {"metadata": {"generation": generation}, "status": status}


def test_a_server_serves_when_a_pod_of_the_present_declaration_is_ready() -> None:
    assert health.is_serving(deployment(observedGeneration=1, updatedReplicas=1, readyReplicas=1))


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"metadata": {"generation": 1}},
        deployment(observedGeneration=1, updatedReplicas=1),
        deployment(observedGeneration=1, readyReplicas=1),
        deployment(generation=2, observedGeneration=1, updatedReplicas=1, readyReplicas=1),
        {
            "metadata": {"deletionTimestamp": "2026-09-21T14:13:20Z"},
            "status": {"updatedReplicas": 1, "readyReplicas": 1},
        },
    ],
)
def test_otherwise_it_does_not(body: Body | None) -> None:
    assert not health.is_serving(body)


def pod(name: str = "model-1-a", instance: str = "model-1", **status: Any) -> Body:
    return {"metadata": {"name": name, "labels": {"app.kubernetes.io/instance": instance}}, "status": status}


def waiting(reason: str, **more: Any) -> Body:
    return {"state": {"waiting": {"reason": reason, **more.pop("waiting", {})}}, **more}


REFUSED = {"reason": "Error", "exitCode": 2, "message": "usage\nx.py: error: unrecognized arguments: --y\n"}
UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
    "lastTransitionTime": "2026-09-21T14:13:20Z",
}


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        ({"containerStatuses": [waiting("ImagePullBackOff")]}, "ImagePullBackOff", ""),
        (
            {
                "containerStatuses": [
                    waiting("CreateContainerConfigError", waiting={"message": 'secret "hf" not found'})
                ]
            },
            "CreateContainerConfigError",
            'secret "hf" not found',
        ),
        (
            {
                "containerStatuses": [
                    waiting("CrashLoopBackOff", lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}})
                ]
            },
            "CrashLoopBackOff",
            "it ended once, last with OOMKilled, code 137",
        ),
        (
            {
                "containerStatuses": [
                    {"state": {"running": {}}, "restartCount": 3, "lastState": {"terminated": REFUSED}}
                ]
            },
            "StartedAnew",
            "it ended 3 times, last with Error, code 2: x.py: error: unrecognized arguments: --y",
        ),
        (
            {"containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled"}}}]},
            "OOMKilled",
            "the container needed more memory than its limit",
        ),
        ({"conditions": [UNSCHEDULABLE]}, "Unschedulable", UNSCHEDULABLE["message"]),
        ({"initContainerStatuses": [waiting("ErrImagePull")]}, "ErrImagePull", ""),
    ],
)
def test_what_keeps_a_pod_from_running_is_found(status: Body, reason: str, message: str) -> None:
    trouble = health.find_trouble((pod(**status),), "model-1")
    assert trouble is not None
    assert (trouble.pod, trouble.reason, trouble.message) == ("model-1-a", reason, message)


def test_since_when_a_pod_finds_no_node_is_known() -> None:
    assert health.find_trouble((pod(conditions=[UNSCHEDULABLE]),), "model-1") == Trouble(
        "model-1-a", "Unschedulable", UNSCHEDULABLE["message"], NOW_MS
    )


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"containerStatuses": [waiting("ContainerCreating")]},
        {"initContainerStatuses": [], "containerStatuses": [waiting("PodInitializing")]},
        {"containerStatuses": [{"state": {"running": {}}}]},
        {"containerStatuses": [{"state": {"running": {}}, "ready": True, "lastState": {"terminated": REFUSED}}]},
        {"conditions": [{"type": "PodScheduled", "status": "True"}]},
    ],
)
def test_a_pod_that_gets_on_is_no_trouble(status: Body) -> None:
    assert health.find_trouble((pod(**status),), "model-1") is None


def test_pods_of_others_are_none_of_our_trouble() -> None:
    assert health.find_trouble((pod(instance="model-2", conditions=[UNSCHEDULABLE]),), "model-1") is None
    assert health.find_trouble(({"metadata": {"name": "x"}},), "model-1") is None


def test_a_pod_that_waits_for_the_place_of_one_that_ends_is_in_no_trouble() -> None:
    leaving = pod()
    leaving["metadata"] = {**leaving["metadata"], "name": "model-1-old", "deletionTimestamp": "2026-09-21T14:13:20Z"}
    both = (leaving, pod(conditions=[UNSCHEDULABLE]))
    assert health.find_trouble(both, "model-1") is None
    assert health.find_leaving(both, "model-1") == leaving
    assert health.find_leaving(both[1:], "model-1") is None
    assert health.find_leaving(both, "model-2") is None


def test_the_pod_of_a_child_is_the_youngest_that_stays() -> None:
    old, new, gone = pod("b"), pod("a"), pod("c")
    old["metadata"]["creationTimestamp"] = "2026-09-21T14:12:20Z"
    new["metadata"]["creationTimestamp"] = "2026-09-21T14:13:20Z"
    gone["metadata"] |= {"creationTimestamp": "2026-09-21T14:14:20Z", "deletionTimestamp": "2026-09-21T14:14:21Z"}
    assert health.find_pod((old, new, gone, pod(instance="model-2")), "model-1") == new
    assert health.find_pod((gone,), "model-1") is None


@pytest.mark.parametrize(
    ("states", "start"),
    [
        ([], None),
        ([{"waiting": {}}], None),
        ([{"running": {"startedAt": "2026-09-21T14:13:20Z"}}, {"waiting": {}}], None),
        ([{"running": {"startedAt": "2026-09-21T14:13:20Z"}}], "2026-09-21T14:13:20Z"),
    ],
)
def test_a_pod_has_started_when_all_its_containers_run(states: list[Body], start: str | None) -> None:
    assert health.find_start(pod(containerStatuses=[{"state": state} for state in states])) == start
