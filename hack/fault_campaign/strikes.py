"""SIGKILL for pods and processes, and networks cut for a while; and where everything is that can be struck."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from demonstration.kubectl import Body, Kubectl, KubectlError
from fault_campaign.containers import Containers, NoContainerError
from fault_campaign.patience import patiently

SYSTEM = "council-system"
KUBERAY = "kuberay-system"
COMPONENT = "app.kubernetes.io/component"

CUT_SECONDS = (3.0, 12.0)
"""Shortest and longest time for which a network stays cut."""

SEATED_SECONDS = 60
PAUSE_SECONDS = 3.0
"""Until Ray has started an actor again, wherever there is room."""

VICTIM_SECONDS = 60
"""How long to wait for what is to be struck: the runner of one question may come a while after it."""

NODE_TYPE = "ray.io/node-type"
SEAT = "ray::SeatActor"
DRIVER = "deliberation.runner.serving"
SUPERVISOR = "^python -m deliberation.runner$"

Found = TypeVar("Found")

Choice = Callable[[Random, list[Found]], list[Found]]
"""Says which of those that were found are struck."""


@dataclass(frozen=True)
class Target:
    """The cluster, the Council's namespace, and dice. Whoever strikes calls `note_strike` as soon as it is done."""

    kubectl: Kubectl
    containers: Containers
    dice: Random
    note_strike: Callable[[], None]

    def pods(self, namespace: str, selector: str) -> list[Body]:
        """Return the pods with these labels that run.

        Raises:
            NoContainerError: there is none for VICTIM_SECONDS.
        """

        def find_running() -> list[Body]:
            found = self.kubectl.within(namespace).find_all("pods", selector=selector)
            return [pod for pod in found if pod["status"].get("phase") == "Running"]

        return await_any(find_running, f"pod with {selector} runs in namespace {namespace}")


def await_any(
    find: Callable[[], list[Found]],
    what: str,
    *,
    pause: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[Found]:
    """Return what there is, as soon as there is any.

    Raises:
        NoContainerError: there is none for VICTIM_SECONDS.
    """
    until = monotonic() + VICTIM_SECONDS
    while True:
        with suppress(KubectlError):
            found = find()
            if found:
                return found
        if monotonic() > until:
            raise NoContainerError(f"no {what}")
        pause(1)


Where = Callable[[Target], tuple[str, str]]
"""Namespace and label selector of the pods that are meant."""


def head(target: Target) -> tuple[str, str]:
    """Return where the head of the runner's Ray cluster is."""
    return target.kubectl.namespace, f"{NODE_TYPE}=head"


def runner(target: Target) -> tuple[str, str]:
    """Return where the head and the workers of the runner's Ray cluster are."""
    return target.kubectl.namespace, NODE_TYPE


def worker(target: Target) -> tuple[str, str]:
    """Return where the runner's Ray workers are."""
    return target.kubectl.namespace, f"{NODE_TYPE}=worker"


def model(target: Target) -> tuple[str, str]:
    """Return where the model servers are."""
    return target.kubectl.namespace, f"{COMPONENT}=model"


def operator(_target: Target) -> tuple[str, str]:
    """Return where the operator is."""
    return SYSTEM, f"{COMPONENT}=operator"


def nats(_target: Target) -> tuple[str, str]:
    """Return where NATS is."""
    return SYSTEM, f"{COMPONENT}=nats"


def kuberay(_target: Target) -> tuple[str, str]:
    """Return where KubeRay's operator is."""
    return KUBERAY, "app.kubernetes.io/component=kuberay-operator"


def kill_pod(where: Where) -> Callable[[Target], None]:
    """Return the strike that kills one of the pods."""
    return _kill_pods(where, lambda dice, pods: [dice.choice(pods)])


def kill_pods(where: Where) -> Callable[[Target], None]:
    """Return the strike that kills all of the pods."""
    return _kill_pods(where, lambda _, pods: pods)


def _kill_pods(where: Where, choose: Choice[Body]) -> Callable[[Target], None]:
    def strike(target: Target) -> None:
        for pod in choose(target.dice, target.pods(*where(target))):
            target.containers.kill(pod)
        target.note_strike()

    return strike


def kill_process(pattern: str, where: Where) -> Callable[[Target], None]:
    """Return the strike that kills one process in one of the pods."""
    return _kill_processes(pattern, where, lambda dice, found: [dice.choice(found)])


def kill_processes(pattern: str, where: Where) -> Callable[[Target], None]:
    """Return the strike that kills all such processes in all of the pods."""
    return _kill_processes(pattern, where, lambda _, found: found)


def _kill_processes(pattern: str, where: Where, choose: Choice[tuple[str, str]]) -> Callable[[Target], None]:
    def strike(target: Target) -> None:
        what = f"process {pattern} runs in namespace {target.kubectl.namespace}"
        for name, process in choose(target.dice, await_any(lambda: _find_processes(target, where, pattern), what)):
            try:
                target.kubectl.run("exec", name, "--", "kill", "-9", process)
            except KubectlError as error:
                raise NoContainerError(f"it ended by itself: {error}") from None
        target.note_strike()

    return strike


def seat_a_worker(target: Target) -> None:
    """Have a seat on a worker: those of a cluster whose workers came late are all on the head.

    Raises:
        NoContainerError: none goes there.
    """
    until = time.monotonic() + SEATED_SECONDS
    while not patiently(lambda: _find_processes(target, worker, SEAT)):
        if time.monotonic() > until:
            raise NoContainerError("no seat goes to a worker")
        for pod, process in patiently(lambda: _find_processes(target, head, SEAT)):
            target.kubectl.run("exec", pod, "--", "kill", "-9", process)
        time.sleep(PAUSE_SECONDS)


def _find_processes(target: Target, where: Where, pattern: str) -> list[tuple[str, str]]:
    """Return the pod and the id of each process with such a command line."""
    names = [pod["metadata"]["name"] for pod in target.pods(*where(target))]
    return [(name, process) for name in names for process in _processes(target.kubectl, name, pattern)]


def _processes(kubectl: Kubectl, pod: str, pattern: str) -> list[str]:
    list_them = f"pgrep --full '{pattern}' | grep -vx $$ || true"
    return kubectl.run("exec", pod, "--", "bash", "-c", list_them).split()


def cut(where: Where, *others: Where) -> Callable[[Target], None]:
    """Return the strike that cuts pods off others, at the others' end, for a while."""

    def strike(target: Target) -> None:
        pod = target.dice.choice(target.pods(*where(target)))
        addresses = [str(one["status"]["podIP"]) for other in others for one in target.pods(*other(target))]
        _cut(target, pod, addresses)

    return strike


def cut_off_api_server(where: Where) -> Callable[[Target], None]:
    """Return the strike that cuts a pod off the API server for a while."""

    def strike(target: Target) -> None:
        service = target.kubectl.within("default").find("services", "kubernetes") or {}
        slices = target.kubectl.within("default").find_all(
            "endpointslices", selector="kubernetes.io/service-name=kubernetes"
        )
        addresses = [service["spec"]["clusterIP"]]
        addresses += [address for one in slices for end in one["endpoints"] for address in end["addresses"]]
        _cut(target, target.dice.choice(target.pods(*where(target))), addresses)

    return strike


def _cut(target: Target, pod: Body, addresses: Sequence[str]) -> None:
    with target.containers.cut(pod, addresses):
        target.note_strike()
        time.sleep(target.dice.uniform(*CUT_SECONDS))
