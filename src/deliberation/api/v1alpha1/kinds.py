"""How each kind presents itself to Kubernetes: its names, its table, its rules."""

from dataclasses import dataclass

from deliberation.api.v1alpha1.base import Model, Rule, StatusModel
from deliberation.api.v1alpha1.council import CouncilSpec
from deliberation.api.v1alpha1.council_status import CouncilStatus
from deliberation.api.v1alpha1.deliberation import DeliberationSpec
from deliberation.api.v1alpha1.deliberation_status import DeliberationStatus

MAX_COUNCIL_NAME = 63
"""Longest name of a Council, in characters: it is the value of a label."""


@dataclass(frozen=True)
class Column:
    """One column of `kubectl get`; a wide one shows with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    description: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of the API.

    Attributes:
        rules: about the whole object, of whose metadata they may read `name` alone.
        selectable: paths that a field selector may name.
    """

    name: str
    plural: str
    short_name: str
    description: str
    spec: type[Model]
    status: type[StatusModel]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    selectable: tuple[str, ...] = ()

    @property
    def singular(self) -> str:
        """Return the name of one object, as kubectl takes it."""
        return self.name.lower()


AGE = Column("Age", ".metadata.creationTimestamp", "date")

COUNCIL = Kind(
    name="Council",
    plural="councils",
    short_name="cncl",
    description="A standing group of agents that answers Deliberations: its models, its members and their seats.",
    spec=CouncilSpec,
    status=CouncilStatus,
    columns=(
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status', description="Can it take a Deliberation?"),
        Column("Models", ".status.modelCount", description="Ready models of all"),
        Column("Seats", ".status.seatCount", description="Ready seats of all"),
        Column("Queued", ".status.queue.queued", "integer", "Deliberations that wait"),
        Column("Running", ".status.queue.running", "integer", "Deliberations in work"),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', description="Why it is ready or not"),
        AGE,
    ),
    rules=(
        Rule(
            f"self.metadata.name.size() <= {MAX_COUNCIL_NAME}",
            f"metadata.name of a Council may have at most {MAX_COUNCIL_NAME} characters: choose a shorter one",
        ),
    ),
)

DELIBERATION = Kind(
    name="Deliberation",
    plural="deliberations",
    short_name="delib",
    description="One question put to a Council of the same namespace, and the answer that comes back in the status.",
    spec=DeliberationSpec,
    status=DeliberationStatus,
    columns=(
        Column("Council", ".spec.councilRef.name", description="Who is asked"),
        Column("Phase", ".status.phase", description="Where it is"),
        Column("Answer", ".status.answer", description="Beginning of the answer"),
        Column("Agreement", ".status.agreement.summary", description="How much the seats agree"),
        Column("Proposals", ".status.progress.proposals", "integer", "Proposals received"),
        Column("Tokens", ".status.usage.totalTokens", "integer", "Tokens that all calls took"),
        Column("Position", ".status.queue.position", "integer", "Place in the queue, rounded up", wide=True),
        Column("Strategy", ".status.strategy.resolved", description="How the result was found", wide=True),
        Column(
            "Reason",
            '.status.conditions[?(@.type=="Succeeded")].reason',
            description="Why it succeeded, failed or waits",
            wide=True,
        ),
        AGE,
    ),
    selectable=(".spec.councilRef.name",),
)

KINDS = (COUNCIL, DELIBERATION)
