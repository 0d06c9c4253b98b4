"""What can go wrong, each as one strike at a random moment. All of it is in `FAULTS`, by name."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from demonstration.kubectl import Body, Kubectl
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

OF_ONE_SEAT = 2
"""Calls that a seat can have in flight for one Deliberation: two ballots."""

OF_ALL = 3 * OF_ONE_SEAT
"""Calls that a Panel of three seats can have in flight."""

NODE_TYPE = "ray.io/node-type"
SEAT = "ray::SeatActor"
DRIVER = "deliberation.runner.serving"
SUPERVISOR = "^python -m deliberation.runner$"


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
            NoContainerError: there is none.
        """
        found = patiently(lambda: self.kubectl.within(namespace).find_all("pods", selector=selector))
        running = [pod for pod in found if pod["status"].get("phase") == "Running"]
        if not running:
            raise NoContainerError(f"no pod with {selector} runs in namespace {namespace}")
        return running


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        what: what is done, for the table.
        expects: what is lost by it, for the table.
        most: how many calls of one Deliberation may be lost by it: those that are in flight where it strikes.
        most_asked: how many may be asked for again. That is more where the driver is lost: the next one cannot know
            which calls of the stage a seat has begun, and a seat that has begun one does not begin it again.
        strike: returns when it is over.
        prepare: done before the questions are asked.
    """

    what: str
    expects: str
    most: int
    most_asked: int
    strike: Callable[[Target], None]
    prepare: Callable[[Target], None] = lambda _: None


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

    def strike(target: Target) -> None:
        target.containers.kill(target.dice.choice(target.pods(*where(target))))
        target.note_strike()

    return strike


def kill_process(pattern: str, where: Where) -> Callable[[Target], None]:
    """Return the strike that kills one process in one of the pods."""

    def strike(target: Target) -> None:
        found = _find_processes(target, where, pattern)
        if not found:
            raise NoContainerError(f"no process {pattern} runs in namespace {target.kubectl.namespace}")
        name, process = target.dice.choice(found)
        target.kubectl.run("exec", name, "--", "kill", "-9", process)
        target.note_strike()

    return strike


def seat_a_worker(target: Target) -> None:
    """Have a seat on a worker: those of a cluster whose workers came late are all on the head.

    Raises:
        NoContainerError: none goes there.
    """
    until = time.monotonic() + SEATED_SECONDS
    while not _find_processes(target, worker, SEAT):
        if time.monotonic() > until:
            raise NoContainerError("no seat goes to a worker")
        for pod, process in _find_processes(target, head, SEAT):
            target.kubectl.run("exec", pod, "--", "kill", "-9", process)
        time.sleep(PAUSE_SECONDS)


def _find_processes(target: Target, where: Where, pattern: str) -> list[tuple[str, str]]:
    """Return the pod and the id of each process with such a command line."""
    names = [pod["metadata"]["name"] for pod in target.pods(*where(target))]
    return [(name, process) for name in names for process in _processes(target.kubectl, name, pattern)]


def _processes(kubectl: Kubectl, pod: str, pattern: str) -> list[str]:
    list_them = f"pgrep --full '{pattern}' | grep -vx $$ || true"
    return patiently(lambda: kubectl.run("exec", pod, "--", "bash", "-c", list_them)).split()


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


FAULTS = {
    "seat": Fault("kill -9 of a seat's actor", "its calls", OF_ONE_SEAT, OF_ONE_SEAT, kill_process(SEAT, runner)),
    "driver": Fault("kill -9 of the driver", "nothing: the seats go on", 0, OF_ALL, kill_process(DRIVER, head)),
    "job": Fault(
        "kill -9 of the Ray job, driver and all",
        "all calls: a new cluster",
        OF_ALL,
        OF_ALL,
        kill_process(SUPERVISOR, head),
    ),
    "head": Fault("kill -9 of the head pod", "all calls", OF_ALL, OF_ALL, kill_pod(head)),
    "worker": Fault(
        "kill -9 of a worker pod", "the calls of its seats", OF_ALL, OF_ALL, kill_pod(worker), seat_a_worker
    ),
    "nats": Fault("kill -9 of the NATS pod, its volume kept", "nothing", 0, 0, kill_pod(nats)),
    "operator": Fault("kill -9 of the operator's pod", "nothing", 0, 0, kill_pod(operator)),
    "model": Fault("kill -9 of the model's pod", "all calls", OF_ALL, OF_ALL, kill_pod(model)),
    "cut-runner-nats": Fault("network cut between runner and NATS", "nothing", 0, 0, cut(nats, runner)),
    "cut-runner-model": Fault("network cut between runner and model", "all calls", OF_ALL, OF_ALL, cut(model, runner)),
    "cut-head-worker": Fault(
        "network cut between head and worker",
        "the calls of its seats",
        OF_ALL,
        OF_ALL,
        cut(worker, head),
        seat_a_worker,
    ),
    "cut-operator-nats": Fault("network cut between operator and NATS", "nothing", 0, 0, cut(nats, operator)),
    "cut-operator-api": Fault(
        "network cut between operator and API server", "nothing", 0, 0, cut_off_api_server(operator)
    ),
    "cut-kuberay-head": Fault("network cut between KubeRay and the head", "nothing", 0, 0, cut(head, kuberay)),
    "cut-kuberay-api": Fault(
        "network cut between KubeRay and the API server", "nothing", 0, 0, cut_off_api_server(kuberay)
    ),
}

NEEDS_WORKERS = frozenset({"worker", "cut-head-worker"})
