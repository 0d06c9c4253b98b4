"""What can go wrong, each as one strike at a random moment. All of it is in `FAULTS` and `OWN_FAULTS`, by name.

The latter are for runners of one question each: there are several of them then.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fault_campaign.strikes import (
    DRIVER,
    SEAT,
    SUPERVISOR,
    Target,
    cut,
    cut_off_api_server,
    head,
    kill_pod,
    kill_pods,
    kill_process,
    kill_processes,
    kuberay,
    model,
    nats,
    operator,
    runner,
    seat_a_worker,
    worker,
)

OF_ONE_SEAT = 2
"""Calls that a seat can have in flight for one Deliberation: two ballots."""

OF_ALL = 3 * OF_ONE_SEAT
"""Calls that a Panel of three seats can have in flight."""


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
        most_attempts: how many RayJobs a question may take that brings its own.
    """

    what: str
    expects: str
    most: int
    most_asked: int
    strike: Callable[[Target], None]
    prepare: Callable[[Target], None] = lambda _: None
    most_attempts: int = 0


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

OWN_FAULTS = {
    "driver": Fault(
        "kill -9 of every driver",
        "nothing: the seats go on",
        0,
        OF_ALL,
        kill_processes(DRIVER, head),
        most_attempts=1,
    ),
    "job": Fault(
        "kill -9 of every Ray job, driver and all",
        "all calls: a new attempt",
        OF_ALL,
        OF_ALL,
        kill_processes(SUPERVISOR, head),
        most_attempts=2,
    ),
    "head": Fault("kill -9 of every head pod", "all calls", OF_ALL, OF_ALL, kill_pods(head), most_attempts=2),
    "nats": replace(FAULTS["nats"], most_attempts=1),
    "operator": replace(FAULTS["operator"], most_attempts=1),
    "cut-runner-nats": replace(FAULTS["cut-runner-nats"], most_attempts=1),
    "cut-operator-api": replace(FAULTS["cut-operator-api"], most_attempts=1),
    "cut-kuberay-head": Fault(
        "network cut between KubeRay and a head", "nothing", 0, 0, cut(head, kuberay), most_attempts=1
    ),
    "cut-kuberay-api": replace(FAULTS["cut-kuberay-api"], most_attempts=1),
}

NEEDS_WORKERS = frozenset({"worker", "cut-head-worker"})
