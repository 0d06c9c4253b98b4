"""Worlds with one Deliberation, and what its status says."""

from typing import Any

from fakes.bodies import deliberation
from fakes.fake_world import FakeWorld

Body = dict[str, Any]


def world_of(*councils: Body, **spec: Any) -> FakeWorld:
    world = FakeWorld()
    for body in councils:
        world.create(body)
    world.create(deliberation(timeoutSeconds=60, **spec))
    world.reconcile_deliberation("q1")
    return world


def status_of(world: FakeWorld) -> Body:
    status: Body = world.deliberations["q1"]["status"]
    return status


def message_of(world: FakeWorld, name: str) -> str:
    (message,) = [one["message"] for one in status_of(world)["conditions"] if one["type"] == name]
    return str(message)
