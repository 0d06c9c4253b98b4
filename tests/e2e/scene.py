"""Councils and Deliberations for tests, and what may be read of the world around them."""

import asyncio
import base64
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import nats
import yaml
from nats.aio.client import Client

from deliberation.bus.login import CredentialsLogin
from deliberation.protocol import streams, subjects
from deliberation.protocol.authority import Authority
from deliberation.protocol.permissions import OPERATOR_USER
from demonstration.kubectl import Body, Kubectl, is_true
from demonstration.steps import CHART, SAMPLES
from demonstration.story import is_finished

SYSTEM = "council-system"
OPERATOR = "council-operator"
NATS_IMAGE = "council-operator/nats:2.15.1"
READY_SECONDS = 600
ANSWER_SECONDS = 660
FAULT_SECONDS = 240
LOOK_SECONDS = 0.5
"""Room for a machine that others use. A wait ends as soon as what it waits for is there."""

PANEL_CALLS = 3 + 3 * 2
"""Model calls of a Panel of three seats: a proposal of each, and a ballot in either order."""

QUESTION = "Which of our services should move to the new cluster first, and why?"


def sample(name: str) -> Path:
    """Return the path of one of docs/samples."""
    return SAMPLES / f"{name}.yaml"


def sample_name(name: str) -> str:
    """Return what the object of a sample is called."""
    return str(yaml.safe_load(sample(name).read_text())["metadata"]["name"])


def simulated_model(**model: int) -> Body:
    """Return a model that only pretends, right at once and always unless told otherwise."""
    return {
        "name": "shared",
        "simulated": {"accuracyPercent": 80, "latencyMilliseconds": 0, "seed": 1, **model},
    }


def council(name: str, *, model: Body | None = None, seats: int = 3, runner: Body | None = None) -> Body:
    """Return a Council of architects on one model."""
    return {
        "apiVersion": "councils.dev/v1alpha1",
        "kind": "Council",
        "metadata": {"name": name},
        "spec": {
            "models": [model or simulated_model()],
            "members": [
                {
                    "name": "architect",
                    "role": "Architect",
                    "seats": seats,
                    "modelRef": (model or {}).get("name", "shared"),
                }
            ],
            "runner": runner or {},
        },
    }


def deliberation(name: str, council_name: str, **spec: Any) -> Body:
    """Return an open question to a Council."""
    return {
        "apiVersion": "councils.dev/v1alpha1",
        "kind": "Deliberation",
        "metadata": {"name": name},
        "spec": {"councilRef": {"name": council_name}, "question": QUESTION, "timeoutSeconds": 600, **spec},
    }


def await_ready(kubectl: Kubectl, name: str, *, seconds: int = READY_SECONDS) -> Body:
    """Return the Council as soon as it is Ready."""
    return kubectl.wait_for("councils", name, lambda body: is_true(body, "Ready"), seconds=seconds, what="Ready")


def await_answer(kubectl: Kubectl, name: str, *, seconds: int = ANSWER_SECONDS) -> Body:
    """Return the Deliberation as soon as it has succeeded; fail at once when it ends otherwise."""
    body = kubectl.wait_for("deliberations", name, is_finished, seconds=seconds, what="finished")
    assert is_true(body, "Succeeded"), json.dumps(body["status"], indent=1)
    return body


def await_running(kubectl: Kubectl, name: str) -> Body:
    """Return the Deliberation as soon as its first proposal is in while others are missing."""

    def is_half_way(body: Body) -> bool:
        assert not is_finished(body), "it finished before it was seen running: the model is too quick for this test"
        return body.get("status", {}).get("phase") in {"Deliberating", "Ranking"}

    return kubectl.wait_for("deliberations", name, is_half_way, seconds=ANSWER_SECONDS, what="running")


def await_condition(
    kubectl: Kubectl,
    resource: str,
    name: str,
    kind: str,
    status: str,
    *,
    reason: str = "",
    seconds: int = FAULT_SECONDS,
) -> Body:
    """Return the condition of a type as soon as it has the status and, if one is given, the reason."""
    found: list[Body] = []

    def holds(body: Body) -> bool:
        found[:] = [
            condition
            for condition in body.get("status", {}).get("conditions", [])
            if (condition["type"], condition["status"]) == (kind, status) and reason in {"", condition["reason"]}
        ]
        return bool(found)

    kubectl.wait_for(resource, name, holds, seconds=seconds, what=f"{kind}={status} {reason}".strip())
    return found[0]


def outcome(body: Body) -> list[tuple[Any, ...]]:
    """Return what must be equal when the same question is asked again: every proposal with its place and score."""
    return [
        (proposal["rank"], proposal["seat"], proposal["sha256"], proposal.get("scoreMilli"))
        for proposal in body["status"]["proposals"]
    ]


def server_of(kubectl: Kubectl, council_name: str) -> str:
    """Return the name of the Deployment, and Service, of a Council's first model."""
    body = kubectl.find("councils", council_name)
    assert body
    return str(body["status"]["models"][0]["deployment"])


def statistics(kubectl: Kubectl, server: str) -> Body:
    """Return what a simulated server counts: all calls that it answered, and how many it had answered before."""
    path = f"/api/v1/namespaces/{kubectl.namespace}/services/{server}:8000/proxy/stats"
    return dict(json.loads(kubectl.run("get", "--raw", path)))


def install_operator(cluster: Kubectl, **values: Any) -> None:
    """Install the operator by its chart, or give the one that is installed other values."""
    usual = {"images": {"nats": NATS_IMAGE}, "nats": {"persistence": {"size": "1Gi"}}}
    given = ("--values", "-", "--create-namespace", "--wait", "--timeout", "10m")
    command = [*_helm(cluster), "upgrade", "--install", OPERATOR, str(CHART), *given]
    subprocess.run(command, check=True, input=json.dumps({**usual, **values}), text=True)


def remove_operator(cluster: Kubectl) -> None:
    """Uninstall the operator."""
    subprocess.run([*_helm(cluster), "uninstall", OPERATOR, "--wait", "--timeout", "5m"], check=True)


def _helm(cluster: Kubectl) -> list[str]:
    return ["helm", "--kubeconfig", str(cluster.kubeconfig), "--namespace", SYSTEM]


@contextmanager
def fresh_namespace(cluster: Kubectl) -> Iterator[Kubectl]:
    """Make a namespace; remove it in the end with all that is in it, Deliberations before their Councils.

    Pods are waited for first: a namespace that has one with a long grace period looks again after half of that.
    """
    kubectl = cluster.within(f"e2e-{uuid4().hex[:8]}")
    cluster.run("create", "namespace", kubectl.namespace)
    yield kubectl
    for resource in ("deliberations", "councils"):
        kubectl.run("delete", resource, "--all", "--wait", "--timeout=180s", seconds=190)
    await_gone(kubectl, "pods", "--all", seconds=300)
    cluster.delete("namespaces", kubectl.namespace, seconds=300)


def await_gone(kubectl: Kubectl, *objects: str, seconds: int = FAULT_SECONDS) -> None:
    """Return as soon as the objects, each `resource/name` or `resource --all`, are deleted.

    Raises:
        KubectlError: they are still there after `seconds`.
    """
    kubectl.run("wait", "--for=delete", *objects, f"--timeout={seconds}s", seconds=seconds + 10)


@contextmanager
def forwarded(kubectl: Kubectl, target: str, port: int) -> Iterator[int]:
    """Yield a port of loopback that leads to a port in the cluster."""
    command = ["kubectl", "--kubeconfig", str(kubectl.kubeconfig), "-n", kubectl.namespace]
    process = subprocess.Popen([*command, "port-forward", target, f":{port}"], stdout=subprocess.PIPE, text=True)
    with process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            assert found, f"port-forward said {line!r}"
            yield int(found[1])
        finally:
            process.kill()


@asynccontextmanager
async def bus_of(namespace: Kubectl) -> AsyncIterator[Client]:
    """Yield a connection to the chart's NATS, as the operator in the namespace's account."""
    system = namespace.within(SYSTEM)
    secret = system.find("secrets", f"{OPERATOR}-bus")
    assert secret
    authority = Authority(base64.b64decode(secret["data"]["authority-key"]))
    login = CredentialsLogin(OPERATOR_USER, authority.operator(namespace.namespace))
    with forwarded(system, f"service/{OPERATOR}-nats", 4222) as port:
        client = await nats.connect(f"nats://127.0.0.1:{port}", **login.build_options())
        try:
            yield client
        finally:
            await client.close()


async def await_no_message_of(client: Client, namespace: str, uid: str) -> None:
    """Return as soon as the bus has nothing of a Deliberation any more."""
    async with asyncio.timeout(FAULT_SECONDS):
        # Nobody tells of a purge.
        while await messages_of(client, namespace, uid):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)


async def messages_of(client: Client, namespace: str, uid: str) -> int:
    """Return how many messages of a Deliberation lie on the bus: its task and its ledger."""
    total = 0
    for stream, subject in (
        (streams.TASKS, subjects.tasks_of_deliberation(namespace, uid)),
        (streams.LEDGER, subjects.ledger_of_deliberation(namespace, uid)),
    ):
        info = await client.jetstream().stream_info(stream.name, subjects_filter=subject)
        total += sum((info.state.subjects or {}).values())
    return total
