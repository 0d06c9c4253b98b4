"""Runners: KubeRay RayJobs whose cluster is a head pod, with workers where wanted; their actors are the seats.

KubeRay 1.6 or newer, Ray 2.52 or newer (token authentication). No retries of KubeRay's own, because those would give
the job a new cluster and a counter that never goes back. A Council's warm runner never ends by itself and has no
deadline; a Deliberation's own runner ends with its question.
"""

from dataclasses import dataclass

from council_operator.plan.health import RAY_CONTAINER
from council_operator.plan.settings import RenderSettings
from council_operator.render import credentials, labels, pods, workers
from council_operator.render.labels import Body
from council_operator.render.names import BUS_SECRET, MODELS_SECRET, attempt_name
from deliberation.api.v1alpha1.council import Runner
from deliberation.api.v1alpha1.deliberation import DEFAULT_TIMEOUT_SECONDS

APPLICATION = "council-runner"
COMPONENT = "runner"
API_VERSION = "ray.io/v1"
KIND = "RayJob"

SECRETS_DIRECTORY = "/var/run/council/secrets"
CERTIFICATES_DIRECTORY = "/var/run/council/certificates"

STARTED_WORKERS = "2"
"""Worker processes that Ray starts in advance. Seats reserve no CPU, so it bounds nothing."""

HEALTH_PORT = 52365
"""Port of Ray's agent on each node; it answers for the raylet and, on the head, for the GCS (Ray 2.53 or newer)."""

STARTUP_SECONDS = 300
"""How long Ray may take to answer at all."""

PRE_RUNNING_SECONDS = 300
"""How long the cluster of a Deliberation's own runner may take to start before KubeRay gives that RayJob up."""

GRACE_SECONDS = 180
"""How much longer than its question's timeout a Deliberation's own runner may live: to start, and to end by itself."""

_READABLE_BY_GROUP = 0o440


@dataclass(frozen=True)
class Mounted:
    """Names of what users bring into a runner: Secrets with keys, and ConfigMaps with certificate authorities."""

    secrets: tuple[str, ...] = ()
    ca_bundles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outfit:
    """What the pods of a runner are made of, as its Council declares it."""

    image: str
    mounted: Mounted
    runner: Runner


def render_ray_job(
    name: str,
    outfit: Outfit,
    council: Body,
    settings: RenderSettings,
    *,
    is_asleep: bool = False,
) -> Body:
    """Return the RayJob of a runner.

    One that is asleep is suspended: KubeRay deletes its cluster, and makes another when it is resumed. Deleting the
    RayJob would do as much, but nothing would tell that it sleeps. `spec.suspend` of one that is awake is not ours.

    All mounts are optional volumes: one that is missing must not keep the other Councils' seats from starting; the
    runner says which is missing when it is asked to reach the model.
    """
    own = labels.child_labels(APPLICATION, COMPONENT, name)
    namespace = council["metadata"]["namespace"]
    body = labels.child(API_VERSION, KIND, name, council, {**own, **labels.kueue_labels(council)})
    body["metadata"]["annotations"] = {
        labels.CREDENTIALS_DIGEST: credentials.runner_digest(namespace, settings),
        labels.ASLEEP: "true" if is_asleep else "false",
    }
    environment = _environment(name, namespace, outfit.runner, settings)
    template = _render_pod(own, outfit, environment, settings)
    spec = {
        **_job(),
        **({"suspend": True} if is_asleep else {}),
        "rayClusterSpec": _render_cluster(template, outfit.runner, settings),
    }
    return labels.seal({**body, "spec": spec})


def render_attempt(
    own_runner: str, number: int, outfit: Outfit, council: Body, deliberation: Body, settings: RenderSettings
) -> Body:
    """Return one RayJob of a Deliberation's own runner, 1 being the first; it goes with the Deliberation.

    The labels for Kueue are the Council's: each question asks for quota by itself. `spec.suspend` is never ours here.
    """
    name = attempt_name(own_runner, number)
    metadata = deliberation["metadata"]
    own = labels.child_labels(APPLICATION, COMPONENT, name) | {labels.DELIBERATION_LABEL: metadata["uid"]}
    body = labels.child(API_VERSION, KIND, name, deliberation, {**own, **labels.kueue_labels(council)})
    environment = [
        *_environment(own_runner, metadata["namespace"], outfit.runner, settings),
        {"name": "COUNCIL_ONE_TASK", "value": "true"},
    ]
    template = _render_pod(own, outfit, environment, settings)
    timeout_seconds = deliberation["spec"].get("timeoutSeconds", DEFAULT_TIMEOUT_SECONDS)
    spec = {
        **_job(),
        "activeDeadlineSeconds": timeout_seconds + GRACE_SECONDS,
        "preRunningDeadlineSeconds": PRE_RUNNING_SECONDS,
        "rayClusterSpec": _render_cluster(template, outfit.runner, settings),
    }
    return labels.seal({**body, "spec": spec})


def _job() -> Body:
    """Return what all RayJobs of ours have in common."""
    return {
        "submissionMode": "HTTPMode",
        "entrypoint": "python -m deliberation.runner",
        "backoffLimit": 0,
        "shutdownAfterJobFinishes": True,
    }


def _render_cluster(template: Body, runner: Runner, settings: RenderSettings) -> Body:
    return {
        "rayVersion": settings.ray_version,
        "authOptions": {"mode": "token"},
        "headGroupSpec": {
            "rayStartParams": {
                **_start_parameters(runner),
                "dashboard-host": "0.0.0.0",  # noqa: S104 - the head's Service; guarded by the token
                "disable-usage-stats": "true",
            },
            "template": workers.with_token(template) if workers.are_scaled(runner) else template,
        },
        **workers.render(runner, _start_parameters(runner), template),
    }


def _render_pod(own: dict[str, str], outfit: Outfit, environment: list[Body], settings: RenderSettings) -> Body:
    """Return the template of the head's pod and of the workers', which seats can't tell apart."""
    volumes = _volumes(outfit.mounted)
    container = {
        "name": RAY_CONTAINER,
        "image": outfit.image,
        "imagePullPolicy": settings.images.pull_policy,
        "env": environment,
        "resources": pods.resources(settings.runner),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of the pod; Ray keeps its session there
            *({"name": volume["name"], "mountPath": path, "readOnly": True} for volume, path in volumes),
        ],
        "securityContext": pods.container_security(),
        **_probes(),
    }
    all_volumes: list[Body] = [{"name": "tmp", "emptyDir": {}}, *(volume for volume, _ in volumes)]
    return {"metadata": {"labels": _pod_labels(own)}, "spec": pods.pod_spec(container, all_volumes, settings)}


def _start_parameters(runner: Runner) -> Body:
    """Return what each node of the Ray cluster offers; room for seats is counted only where there are workers."""
    room = {"resources": workers.SEATS_PARAMETER} if runner.workers.max else {}
    return {"num-cpus": STARTED_WORKERS, **room}


def _probes() -> Body:
    """Return probes that find a dead Ray within a minute, and a ready one at once.

    KubeRay's own wait ten seconds before the first look, and call a node that answers no more alive for ten minutes.
    """
    health = {"httpGet": {"path": "/api/healthz", "port": HEALTH_PORT}, "timeoutSeconds": 5}
    return {
        "startupProbe": {**health, "periodSeconds": 2, "failureThreshold": STARTUP_SECONDS // 2},
        "readinessProbe": {**health, "periodSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**health, "periodSeconds": 10, "failureThreshold": 6},
    }


def _pod_labels(own: dict[str, str]) -> dict[str, str]:
    """Return the labels of the head pod, without `app.kubernetes.io/name`: KubeRay selects its pods by that one."""
    return {key: value for key, value in own.items() if key != labels.NAME_LABEL}


def _environment(name: str, namespace: str, runner: Runner, settings: RenderSettings) -> list[Body]:
    """Return ids and addresses only: whoever may call Ray's dashboard can read a job's environment."""
    tls = {"COUNCIL_BUS_CA": "true"} if settings.bus_ca else {}
    if settings.bus_server_name:
        tls["COUNCIL_BUS_SERVER_NAME"] = settings.bus_server_name
    values = {
        "COUNCIL_NAMESPACE": namespace,
        "COUNCIL_RUNNER": name,
        "COUNCIL_BUS_URL": settings.bus_url,
        "COUNCIL_BUS_USER": settings.bus_user,
        **tls,
        "COUNCIL_SECRETS_DIR": SECRETS_DIRECTORY,
        "COUNCIL_MAX_CONCURRENT": str(runner.max_concurrent_deliberations),
        "COUNCIL_SEATS_WITH_ROOM": str(workers.count_room(runner)),
        "HOME": "/tmp",  # noqa: S108 - an emptyDir of the pod
    }
    return [{"name": key, "value": value} for key, value in values.items()]


def _volumes(mounted: Mounted) -> list[tuple[Body, str]]:
    """Return the volumes of Secrets and ConfigMaps, each with its mount path; the kubelet keeps them up to date."""
    shared = {"optional": True, "defaultMode": _READABLE_BY_GROUP}
    secrets = (BUS_SECRET, MODELS_SECRET, *mounted.secrets)
    return [
        *(
            ({"name": f"secret-{index}", "secret": {"secretName": name, **shared}}, f"{SECRETS_DIRECTORY}/{name}")
            for index, name in enumerate(secrets)
        ),
        *(
            ({"name": f"ca-{index}", "configMap": {"name": name, **shared}}, f"{CERTIFICATES_DIRECTORY}/{name}")
            for index, name in enumerate(mounted.ca_bundles)
        ),
    ]
