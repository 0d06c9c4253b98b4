"""Every metric of the operator, in one table. Labels never hold names that users chose."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

RECONCILES = Counter(
    "council_reconciles_total", "Passes over one object, by kind and result.", ["kind", "result"], registry=REGISTRY
)
RECONCILE_SECONDS = Histogram(
    "council_reconcile_duration_seconds", "Time of one pass over one object.", ["kind"], registry=REGISTRY
)
OBJECTS = Gauge("council_objects", "Objects with a live loop, by kind.", ["kind"], registry=REGISTRY)
BUS_CONNECTED = Gauge("council_bus_connected", "1 while the operator is connected to NATS.", registry=REGISTRY)
ENTRIES_REJECTED = Counter(
    "council_ledger_entries_rejected_total",
    "Ledger entries of finished Deliberations that changed nothing, by reason: Malformed, Misplaced, Foreign, Late.",
    ["reason"],
    registry=REGISTRY,
)
DELIBERATIONS_FINISHED = Counter(
    "council_deliberations_finished_total",
    "Finished Deliberations, by outcome and by whether a model was simulated.",
    ["outcome", "simulated"],
    registry=REGISTRY,
)
