from typing import Any

import pytest

from council_operator.plan.roster import build_roster
from council_operator.plan.succession import SETTLED_AFTER_SECONDS
from deliberation.protocol.tasks import ModelAddress, Task
from fakes.bodies import SETTINGS, SIMULATED, VLLM, council, council_spec, deliberation
from fakes.fake_world import FakeWorld

Body = dict[str, Any]

LAW = {"name": "law", "hub": "org/law"}
MEMBER = {"name": "dev", "role": "Developer", "modelRef": "small"}
OLD = {"name": "small", "vllm": {"model": "Qwen/Qwen3-0.6B", "revision": "old", "adapters": [LAW]}}
NEW = {"name": "small", "vllm": {"model": "Qwen/Qwen3-0.6B", "revision": "new", "adapters": [LAW]}}


def moving_world(before: Body = OLD, after: Body = NEW, *members: Body) -> FakeWorld:
    """Return a world in which a Council was ready and has changed its model."""
    world = FakeWorld()
    world.create(council(council_spec(before)))
    world.settle()
    world.bring_up()
    world.settle()
    world.edit(world.councils["architects"], models=[after], members=list(members) or [MEMBER])
    world.settle()
    return world


def condition(world: FakeWorld, kind: str) -> tuple[str, str, str]:
    found = next(one for one in world.councils["architects"]["status"]["conditions"] if one["type"] == kind)
    return found["status"], found["reason"], found["message"]


def model(world: FakeWorld) -> Body:
    found: Body = world.councils["architects"]["status"]["models"][0]
    return found


def declared(world: FakeWorld) -> str:
    return build_roster(world.councils["architects"], SETTINGS).server_of["small"]


def ask(world: FakeWorld, name: str = "q1") -> Task | None:
    """Return the task that a question becomes now; None while it waits."""
    world.create(deliberation(name))
    world.settle(2)
    _, task = world.tasks.get(f"uid-{name}", ("", None))
    return task


def addresses(task: Task | None) -> tuple[ModelAddress, ...]:
    assert task is not None, "the question waits"
    return task.models


def test_the_former_server_answers_until_the_declared_one_does() -> None:
    world = moving_world()
    assert condition(world, "Ready")[:2] == ("True", "Moving")
    assert condition(world, "ModelsAvailable")[:2] == ("True", "Moving")
    assert condition(world, "Reconciling")[0] == "True"
    assert (model(world)["ready"], model(world)["revision"]) == (True, "old")
    assert f"Deployment {declared(world)} starts" in model(world)["message"]
    (address,) = addresses(ask(world))
    assert address.revision == "old"
    assert model(world)["deployment"] in address.base_url


def test_questions_go_to_the_declared_server_as_soon_as_it_answers() -> None:
    world = moving_world()
    world.start_servers()
    world.settle()
    assert condition(world, "Ready")[:2] == ("True", "Ready")
    assert condition(world, "Reconciling")[0] == "False"
    assert "message" not in model(world)
    (address,) = addresses(ask(world))
    assert address.revision == "new"
    assert declared(world) in address.base_url


def test_the_former_server_stays_for_those_who_were_sent_to_it_and_then_goes() -> None:
    world = moving_world()
    former = model(world)["deployment"]
    addresses(ask(world))
    world.start_servers()
    world.come_to_rest()
    assert ("Deployment", former) in world.children
    world.run_to_the_end("q1")
    world.come_to_rest()
    assert ("Deployment", former) not in world.children
    assert ("Service", former) not in world.children


def test_a_declaration_that_never_comes_up_leaves_the_council_with_what_it_has() -> None:
    world = moving_world()
    last = {"terminated": {"exitCode": 2, "message": "x.py: error: unrecognized arguments: --y"}}
    container = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": last}
    pod_labels = {"app.kubernetes.io/instance": declared(world)}
    world.pods = [{"metadata": {"name": "p", "labels": pod_labels}, "status": {"containerStatuses": [container]}}]
    world.come_to_rest()
    status, reason, message = condition(world, "Ready")
    assert (status, reason) == ("True", "Moving")
    assert "unrecognized arguments: --y" in message
    assert addresses(ask(world))[0].revision == "old"


def test_an_adapter_is_found_where_its_model_is() -> None:
    world = moving_world(OLD, NEW, {**MEMBER, "adapter": "law"})
    base, adapter = addresses(ask(world))
    assert (base.model_name, adapter.model_name) == ("Qwen/Qwen3-0.6B", "law")
    assert base.base_url == adapter.base_url
    assert adapter.revision == "old"


@pytest.mark.parametrize(
    ("before", "after", "member"),
    [
        (VLLM, NEW, {**MEMBER, "adapter": "law"}),
        (SIMULATED, NEW, MEMBER),
        (OLD, SIMULATED, MEMBER),
        (OLD, {**NEW, "name": "other"}, {**MEMBER, "modelRef": "other"}),
    ],
    ids=["lacks the adapter", "only pretends", "is to pretend", "another model"],
)
def test_what_the_former_server_cannot_do_is_waited_for(before: Body, after: Body, member: Body) -> None:
    world = moving_world(before, after, member)
    assert condition(world, "Ready")[:2] == ("False", "ModelStarting")
    assert ask(world) is None
    world.start_servers()
    world.settle()
    assert condition(world, "Ready")[0] == "True"


def test_a_former_server_that_fails_is_not_relied_upon() -> None:
    world = moving_world()
    world.children["Deployment", model(world)["deployment"]]["status"]["readyReplicas"] = 0
    world.settle()
    assert condition(world, "Ready")[:2] == ("False", "ModelStarting")
    assert ask(world) is None


def test_a_change_that_is_taken_back_is_over_at_once() -> None:
    world = moving_world()
    abandoned = declared(world)
    world.edit(world.councils["architects"], models=[OLD])
    world.come_to_rest()
    assert condition(world, "Ready")[:2] == ("True", "Ready")
    assert ("Deployment", abandoned) not in world.children


def test_who_read_an_older_status_has_time_to_act_on_it() -> None:
    world = moving_world()
    former = model(world)["deployment"]
    world.start_servers()
    world.settle()
    world.pass_time(SETTLED_AFTER_SECONDS - 1)
    world.settle()
    assert ("Deployment", former) in world.children
    world.pass_time(1)
    world.settle()
    assert ("Deployment", former) not in world.children
