"""Every metric of the operator, in one table. Labels never hold names that users chose."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from council_operator.plan.observed import DeliberationObserved
from deliberation.engine.fold import fold

REGISTRY = CollectorRegistry()

RECONCILES = Counter(
    "council_reconciles_total", "Passes over one object, by kind and result.", ["kind", "result"], registry=REGISTRY
)
RECONCILE_SECONDS = Histogram(
    "council_reconcile_duration_seconds", "Time of one pass over one object.", ["kind"], registry=REGISTRY
)
API_REQUESTS = Counter(
    "council_api_requests_total",
    "Requests to the API server, without watches, by verb and kind.",
    ["verb", "kind"],
    registry=REGISTRY,
)
OBJECTS = Gauge("council_objects", "Objects with a live loop, by kind.", ["kind"], registry=REGISTRY)
BUS_CONNECTED = Gauge("council_bus_connected", "1 while the operator is connected to NATS.", registry=REGISTRY)
ENTRIES_REJECTED = Counter(
    "council_ledger_entries_rejected_total",
    "Ledger entries of finished Deliberations that changed nothing, by reason.",
    ["reason"],
    registry=REGISTRY,
)
DELIBERATIONS_FINISHED = Counter(
    "council_deliberations_finished_total",
    "Finished Deliberations, by outcome and by whether a model was simulated.",
    ["outcome", "simulated"],
    registry=REGISTRY,
)


def count_finished(observed: DeliberationObserved) -> None:
    """Count a Deliberation whose end was just reported, and the messages in its ledger that changed nothing."""
    if observed.task is None:
        return
    standing = fold(observed.task, observed.ledger)
    if standing.verdict is None:
        return
    simulated = any(model.simulated for model in observed.task.models)
    DELIBERATIONS_FINISHED.labels(standing.verdict.outcome, str(simulated).lower()).inc()
    for reason, count in standing.rejected.items():
        ENTRIES_REJECTED.labels(reason).inc(count)
