"""Worlds in which a Council or a Deliberation has come to a certain point, and what a plan says."""

from typing import Any

from council_operator.plan.actions import Action, Apply, EnsureTaskConsumer, Plan, PublishEntry
from fakes.bodies import council, deliberation, ready_council
from fakes.fake_world import FakeWorld

Body = dict[str, Any]

ANOTHER = {"name": "small", "simulated": {"accuracyPercent": 99}}


def world_with(*councils: Body) -> FakeWorld:
    world = FakeWorld()
    for body in councils or (council(),):
        world.create(body)
    return world


def ready_world(*councils: Body) -> FakeWorld:
    world = world_with(*councils)
    world.settle()
    world.start_servers()
    world.start_runners()
    world.settle()
    return world


def changes(plan: Plan) -> list[Action]:
    """Return what a plan changes; that a consumer exists is only made sure of."""
    return [action for action in plan.actions if not isinstance(action, EnsureTaskConsumer)]


def applied(plan: Plan) -> list[str]:
    return [action.body["kind"] for action in plan.actions if isinstance(action, Apply)]


def children(world: FakeWorld, kind: str) -> list[str]:
    return sorted(name for of_kind, name in world.children if of_kind == kind)


def waiting_world(**spec: Any) -> FakeWorld:
    world = FakeWorld()
    world.create(deliberation(timeoutSeconds=60, **spec))
    return world


def admitted_world(**spec: Any) -> FakeWorld:
    world = waiting_world(**spec)
    world.create(ready_council())
    world.reconcile_deliberation("q1")
    return world


def started_world(**spec: Any) -> FakeWorld:
    world = admitted_world(**spec)
    world.run_a_step("q1")
    return world


def kinds(plan: Plan) -> list[type[Action]]:
    return [type(action) for action in plan.actions]


def entries(plan: Plan) -> list[Any]:
    return [action.entry for action in plan.actions if isinstance(action, PublishEntry)]
