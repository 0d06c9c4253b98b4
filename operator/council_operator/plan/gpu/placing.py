"""Which GPUs each model server gets, and when it may start: one plan for all Councils that the operator sees.

The plan is a function of what is declared and of what the cluster holds, so every Council's loop finds the same. It
gives servers a pool of like GPUs and leaves the choice of the node to the scheduler, which also knows other tenants.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from council_operator.plan.gpu import words
from council_operator.plan.gpu.memory import Share, find_need, find_share, find_shortage
from council_operator.plan.gpu.nodes import DEFAULT_RESOURCES, GPU, Offer, Pool
from deliberation.api.v1alpha1.gpu import Gpu, Sharing
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.api.v1alpha1.vllm import VllmModel


@dataclass(frozen=True, order=True)
class ServerId:
    """Names one model server of the cluster."""

    namespace: str
    name: str


class Stage(Enum):
    """How far a model server is."""

    NEW = auto()
    """Not there, or only just: others that came at the same moment may not be in sight yet."""
    WAITING = auto()
    STARTING = auto()
    STUCK = auto()
    """It starts, but something keeps it from getting on: nobody waits for it."""
    SERVING = auto()
    ASLEEP = auto()
    """It has no pod and needs no units until it is woken; what it had is remembered, not kept for it."""


@dataclass(frozen=True)
class Demand:
    """One declared model server that is to run on GPUs.

    Attributes:
        since_ms: when the first of its Councils was created: who came first is served first.
    """

    server: ServerId
    model: VllmModel
    gpu: Gpu
    since_ms: int
    stage: Stage = Stage.NEW


@dataclass(frozen=True)
class Holding:
    """Units that a Deployment has been given, whether or not anybody declares it still.

    Attributes:
        slices: units of each replica.
        is_live: it has pods, or is to have them: it comes before those that only wait for theirs.
    """

    server: ServerId
    pool: Pool
    slices: int
    is_live: bool = True
    replicas: int = 1


@dataclass(frozen=True)
class Placement:
    """What a server gets: for each replica units of a pool, and a share of each one's memory.

    Attributes:
        lacking: why a server that runs goes on with fewer replicas than it is to have, or empty.
    """

    pool: Pool
    slices: int
    share: Share
    replicas: int = 1
    lacking: str = ""


@dataclass(frozen=True)
class Refusal:
    """Why a server gets no GPU; `config_map` is the device plugin's configuration that would help, or empty."""

    reason: Reason
    message: str
    config_map: str = ""


@dataclass(frozen=True)
class GpuPlan:
    """What becomes of each declared server.

    Attributes:
        may_start: servers that may run now; the others wait for their turn.
        behind: whom a waiting server waits for.
    """

    verdicts: Mapping[ServerId, Placement | Refusal] = field(default_factory=dict)
    may_start: frozenset[ServerId] = frozenset()
    behind: Mapping[ServerId, ServerId] = field(default_factory=dict)


def plan_gpus(
    demands: Iterable[Demand],
    holdings: Iterable[Holding],
    offers: Iterable[Offer] | None,
    overhead_mib: int,
    division: str = "",
) -> GpuPlan:
    """Return the plan.

    `offers` None means that nodes cannot be read: whole GPUs and MIG partitions are then given out unchecked, and
    slices refused, because nobody knows how large they are. What is held already stays where it is as long as its pool
    has the units; the rest is given out first come, first served. `division` is what the operator itself does about
    slices, if anything: who lacks one is told that, and not what to apply.
    """
    ordered = sorted(demands, key=lambda demand: (demand.since_ms, demand.server))
    held = {one.server: one for one in holdings}
    asleep = {demand.server: demand for demand in ordered if demand.stage is Stage.ASLEEP}
    remembered = {name: _remember(one, held[name], overhead_mib) for name, one in asleep.items() if name in held}
    ordered = [demand for demand in ordered if demand.server not in asleep]
    verdicts: dict[ServerId, Placement | Refusal]
    if offers is None:
        verdicts = {demand.server: _give_blindly(demand, overhead_mib) for demand in ordered}
    else:
        desk = _Desk.open(offers, ordered, overhead_mib, division)
        claims = sorted(
            (one for name, one in held.items() if name not in asleep), key=lambda one: (not one.is_live, one.server)
        )
        kept = {one.server: left for one in claims if (left := desk.keep(one))}
        verdicts = {demand.server: desk.place(demand, kept.get(demand.server)) for demand in ordered}
    turns = _give_turns(ordered, verdicts)
    return replace(turns, verdicts={**verdicts, **remembered})


@dataclass
class _Desk:
    """Hands units out and remembers what is left of them, node by node."""

    offers: tuple[Offer, ...]
    demands: list[Demand]
    overhead_mib: int
    division: str
    free: dict[Pool, dict[str, int]]
    nodes: dict[ServerId, list[str]] = field(default_factory=dict)

    @classmethod
    def open(cls, offers: Iterable[Offer], demands: list[Demand], overhead_mib: int, division: str) -> "_Desk":
        listed = tuple(sorted(offers))
        free: dict[Pool, dict[str, int]] = {}
        for offer in listed:
            free.setdefault(offer.pool, {})[offer.node] = offer.slices
        return cls(listed, demands, overhead_mib, division, free)

    def keep(self, held: Holding) -> Holding | None:
        """Set aside what a Deployment holds; return as much of it as the nodes still cover, or None."""
        for replicas in range(held.replicas, 0, -1):
            if self._take(held.server, held.pool, held.slices, replicas):
                return replace(held, replicas=replicas)
        return None

    def place(self, demand: Demand, held: Holding | None) -> Placement | Refusal:
        """Return what a server gets: what it holds, if that still suits it, or free units of the pool that fits it."""
        gpu, need = demand.gpu, find_need(demand.model, demand.gpu, self.overhead_mib)
        replicas = demand.model.replicas
        if held and _suits(held, demand) and not find_shortage(gpu, held.pool, need):
            return self._keep_replicas(demand, held, find_share(gpu, held.pool, need))
        if held:
            self._give_back(held)
        suited = [pool for pool in self.free if pool.answers(gpu)]
        shortages = {pool: find_shortage(gpu, pool, need) for pool in suited}
        fitting = [pool for pool in suited if shortages[pool] is None]
        for pool in sorted(fitting, key=lambda pool: _preference(pool, gpu, demand.model)):
            if self._take(demand.server, pool, gpu.slices, replicas):
                return Placement(pool, gpu.slices, find_share(gpu, pool, need), replicas)
        if suited and not fitting:
            message = words.explain_shortage(sorted({text for text in shortages.values() if text}))
            return Refusal(Reason.GPU_MEMORY_TOO_SMALL, message)
        return self._refuse(gpu, fitting, replicas)

    def _keep_replicas(self, demand: Demand, held: Holding, share: Share) -> Placement:
        """Return what a server goes on with: as many replicas as it is to have, or as there are units for.

        What runs is never taken away because more of it is asked for than there is.
        """
        wanted = demand.model.replicas
        self._give_back(held)
        replicas = next(
            count for count in range(wanted, 0, -1) if self._take(held.server, held.pool, held.slices, count)
        )
        lacking = self._refuse(demand.gpu, [held.pool], wanted - replicas).message if replicas < wanted else ""
        return Placement(held.pool, held.slices, share, replicas, lacking)

    def _give_back(self, held: Holding) -> None:
        for node in self.nodes.pop(held.server):
            self.free[held.pool][node] += held.slices

    def _refuse(self, gpu: Gpu, fitting: list[Pool], replicas: int) -> Refusal:
        left = [(offer.node, self.free[offer.pool][offer.node], offer) for offer in self.offers]
        if self.division and gpu.sharing is Sharing.TIME_SLICING:
            return Refusal(Reason.GPU_SLICES_UNAVAILABLE, words.explain_lack(gpu, left, fitting, self.division))
        alike = [demand.gpu for demand in self.demands if demand.gpu.sharing is gpu.sharing]
        config = words.propose_config(gpu, sum(other.slices for other in alike), self.offers)
        message = words.explain_lack(gpu, left, fitting, words.advise(gpu, fitting, config))
        each = f"for each of {replicas} replicas: " if replicas > 1 else ""
        return Refusal(Reason.GPU_SLICES_UNAVAILABLE, f"{each}{message}", config.text if config else "")

    def _take(self, server: ServerId, pool: Pool, slices: int, replicas: int) -> bool:
        """Take units of one node for each replica, the one that has the fewest left to give; return whether all fit."""
        left = dict(self.free.get(pool, {}))
        taken: list[str] = []
        for _ in range(replicas):
            roomy = [node for node in left if left[node] >= slices]
            if not roomy:
                return False
            taken.append(min(roomy, key=lambda node: (left[node], node)))
            left[taken[-1]] -= slices
        self.free[pool].update(left)
        self.nodes[server] = taken
        return True


def _suits(held: Holding, demand: Demand) -> bool:
    """Return whether what each replica of a server holds is what it asks for, memory aside."""
    return held.pool.answers(demand.gpu) and held.slices == demand.gpu.slices


def _preference(pool: Pool, gpu: Gpu, model: VllmModel) -> tuple[int, Pool]:
    """Return what sorts fitting pools: the smallest units for a model of known size, the largest for another."""
    unit = pool.memory_mib // pool.replicas
    is_known = model.weights.size is not None or gpu.memory_per_slice is not None
    return (unit if is_known else -unit), pool


def _remember(demand: Demand, held: Holding, overhead_mib: int) -> Placement:
    """Return what a sleeping server had."""
    need = find_need(demand.model, demand.gpu, overhead_mib)
    return Placement(held.pool, held.slices, find_share(demand.gpu, held.pool, need), held.replicas)


def _give_blindly(demand: Demand, overhead_mib: int) -> Placement | Refusal:
    """Return what a server gets when nodes cannot be read."""
    gpu, need = demand.gpu, find_need(demand.model, demand.gpu, overhead_mib)
    if gpu.sharing in {Sharing.TIME_SLICING, Sharing.MPS}:
        return Refusal(Reason.GPU_NODES_UNREADABLE, words.NODES_NEEDED)
    resource = gpu.resource_name or next(iter(DEFAULT_RESOURCES[gpu.sharing]), GPU)
    pool = Pool(resource, gpu.sharing)
    shortage = find_shortage(gpu, pool, need)
    if shortage:
        return Refusal(Reason.GPU_MEMORY_TOO_SMALL, words.explain_shortage([shortage]))
    return Placement(pool, gpu.slices, find_share(gpu, pool, need), demand.model.replicas)


def _give_turns(ordered: list[Demand], verdicts: Mapping[ServerId, Placement | Refusal]) -> GpuPlan:
    """Let one server at a time start in each pool of shared GPUs.

    vLLM measures free memory while it starts: two that do so at once on one GPU mis-size each other. Which GPU a slice
    is of, nobody can tell beforehand.
    """
    may_start: set[ServerId] = set()
    behind: dict[ServerId, ServerId] = {}
    starting: dict[Pool, ServerId] = {}
    placed = [(demand, given) for demand in ordered if isinstance(given := verdicts[demand.server], Placement)]
    for demand, given in placed:
        if demand.stage in {Stage.STARTING, Stage.STUCK, Stage.SERVING} or not given.pool.is_shared:
            may_start.add(demand.server)
            if demand.stage is Stage.STARTING:
                starting.setdefault(given.pool, demand.server)
    for demand, given in placed:
        if demand.server in may_start:
            continue
        first = starting.setdefault(given.pool, demand.server)
        if first != demand.server:
            behind[demand.server] = first
        elif demand.stage is Stage.WAITING:
            may_start.add(demand.server)
    return GpuPlan(verdicts, frozenset(may_start), behind)
