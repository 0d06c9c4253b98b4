"""Local runs on simulated models, as the tests of this folder need them."""

from typing import Any

from deliberation.local import Options, read_manifests, run
from deliberation.local.operator import Finished
from deliberation.local.options import BusChoice
from deliberation.local.running import LocalRun
from fakes.fake_clock import FakeClock
from fakes.manifests import council, deliberation, text

Body = dict[str, Any]

ROLES = ("Developer", "QA", "Architect", "DevOps", "Data")


def simulated(name: str = "small", **traits: int) -> Body:
    """Return a simulated model; it takes no time unless its traits say so."""
    return {"name": name, "simulated": {"latencyMilliseconds": 0, "accuracyPercent": 60, **traits}}


def members(number: int, models: tuple[str, ...] = ("small",)) -> list[Body]:
    """Return that many members of one seat each, with roles and models in turn."""
    return [
        {
            "name": f"m{index:02d}",
            "role": ROLES[index % len(ROLES)],
            "instructions": f"You are number {index:02d}.",
            "modelRef": models[index % len(models)],
        }
        for index in range(number)
    ]


async def deliberate(seats: int = 3, models: tuple[Body, ...] = (), **spec: Any) -> LocalRun:
    """Answer one question by a Council of seats that all differ; time stands still, so nothing depends on it."""
    models = models or (simulated(),)
    names = tuple(model["name"] for model in models)
    bodies = council(models=list(models), members=members(seats, names)), deliberation(**spec)
    return await run(read_manifests(text(*bodies)), Options(bus=BusChoice.MEMORY), clock=FakeClock())


def only(done: LocalRun) -> Finished:
    """Return the one Deliberation of a run, which has succeeded."""
    [finished] = done.finished
    assert finished.has_succeeded, finished.status["conditions"]
    return finished
