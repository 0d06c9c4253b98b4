"""What was read of the world before a decision: plain data, made by `observe`, used by `plan` and `status`."""

from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import Any

from deliberation.engine.fold import fold
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import LedgerRecord
from deliberation.protocol.health import Heartbeat, ProbeResult
from deliberation.protocol.tasks import Task

Body = dict[str, Any]


@dataclass(frozen=True)
class BusFault:
    """The bus could not be asked; `message` says why, for people."""

    message: str


@dataclass(frozen=True)
class Activity:
    """How much a Council is used: unfinished Deliberations, and the time since there was one."""

    unfinished: int = 0
    idle_seconds: float = 0.0


@dataclass(frozen=True)
class Runs:
    """Runs of a Council: `admitted` and not over, and of these, those that no runner has taken up yet."""

    admitted: int = 0
    untaken: int = 0


@dataclass(frozen=True)
class Turn:
    """What the queue means to one Deliberation.

    Attributes:
        is_decided: the line has taken it in or refused it; before, there is nothing to tell.
        is_next: it may be admitted now.
        position: its place in its Council's line, as a status shows it; None outside of the line.
        most_waiting: the bound that it found reached, so that it is refused for good; None when it is not.
    """

    is_decided: bool = True
    is_next: bool = True
    position: int | None = None
    most_waiting: int | None = None


@dataclass(frozen=True)
class GpuObserved:
    """Everything that shares GPUs, in all namespaces that the operator serves. `nodes` None: they cannot be read."""

    nodes: tuple[Body, ...] | None
    councils: tuple[Body, ...]
    deployments: tuple[Body, ...]
    pods: tuple[Body, ...]


@dataclass(frozen=True)
class CouncilObserved:
    """The world around one Council.

    `deployments`, `services`, `disruption_budgets` and `ray_jobs` hold, by name, the operator's objects in the
    Council's namespace: at least those that carry this Council's owner reference or a name that its spec renders to.
    `pods` are the pods behind the deployments and the runners, for their waiting reasons. `gpu` is there only for a
    Council that asks for GPUs. `neighbours` are the Councils that may share its servers, itself among them, with the
    `activity` of each by namespace and name; they are there where servers may sleep, have replicas or run on GPUs.
    `refusals` hold, by name, what the API server said against a child that it would not take. `listening_seconds` is
    for how long the `heartbeat` may have been heard.
    """

    body: Body
    deployments: dict[str, Body] = field(default_factory=dict)
    services: dict[str, Body] = field(default_factory=dict)
    disruption_budgets: dict[str, Body] = field(default_factory=dict)
    ray_jobs: dict[str, Body] = field(default_factory=dict)
    pods: tuple[Body, ...] = ()
    kuberay_installed: bool = True
    bus_fault: BusFault | None = None
    heartbeat: Heartbeat | None = None
    heartbeat_age_seconds: float | None = None
    listening_seconds: float = inf
    probes: tuple[ProbeResult, ...] | None = None
    phases: dict[str, int] = field(default_factory=dict)
    runs: Runs = Runs()
    gpu: GpuObserved | None = None
    neighbours: tuple[Body, ...] = ()
    activity: dict[tuple[str, str], Activity] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    now_ms: int = 0


@dataclass(frozen=True)
class DeliberationObserved:
    """The world around one Deliberation. `task` is what was published: it outlives changes of the Council.

    Without a queue, as in a run without a cluster, it is always its `turn`.
    `dead_letter` says why the task was laid aside, if it was: no runner will take it up again.
    `ray_jobs`, by name, and `pods` are those of its own runner, where it has one.
    """

    body: Body
    council: Body | None = None
    task: Task | None = None
    ledger: tuple[LedgerRecord, ...] = ()
    turn: Turn = Turn()
    bus_fault: BusFault | None = None
    now_ms: int = 0
    dead_letter: str | None = None
    ray_jobs: dict[str, Body] = field(default_factory=dict)
    pods: tuple[Body, ...] = ()
    kuberay_installed: bool = True

    @cached_property
    def standing(self) -> Standing | None:
        """Where the run stands, folded once for all who ask; None without a task."""
        return fold(self.task, self.ledger) if self.task else None
