"""How many replicas a model server is to have: as many as that one of its Councils wants that wants the most.

The number is no part of a server's name. So a change of it adds replicas to those that run, or takes some away, and
Councils that want different numbers share one server all the same.
"""

from collections.abc import Iterable
from typing import Any

from council_operator.plan import health
from council_operator.plan.observed import CouncilObserved
from council_operator.plan.roster import Roster, find_roster
from council_operator.plan.settings import RenderSettings

Body = dict[str, Any]


def may_have_replicas(council: Body) -> bool:
    """Return whether a Council declares a server that may have replicas, whatever else is wrong with its spec."""
    return any(model.get("vllm") for model in council.get("spec", {}).get("models") or ())


def count_replicas(observed: CouncilObserved, roster: Roster, settings: RenderSettings) -> dict[str, int]:
    """Return, by name, the wanted replicas of each server that a Council declares."""
    namespace = observed.body["metadata"]["namespace"]
    others = [
        other
        for one in observed.neighbours
        if one["metadata"]["namespace"] == namespace and not health.is_being_deleted(one)
        if (other := find_roster(one, settings)) is not None
    ]
    most = find_most((namespace, one) for one in (roster, *others))
    return {server.name: most[namespace, server.name] for server in roster.servers}


def find_most(declared: Iterable[tuple[str, Roster]]) -> dict[tuple[str, str], int]:
    """Return, by namespace and name, the most replicas of each server that anybody wants who declares it.

    `declared` are namespaces, each with what a Council declares there.
    """
    most: dict[tuple[str, str], int] = {}
    for namespace, roster in declared:
        for server in roster.servers:
            name = (namespace, server.name)
            most[name] = max(most.get(name, 1), server.replicas)
    return most
