"""What Councils share, and what a Council that was changed no longer needs."""

import pytest

from council_operator.plan.actions import Release
from council_operator.plan.succession import SETTLED_AFTER_SECONDS
from fakes.bodies import council, deliberation
from unit.council_operator.plan.worlds import ANOTHER, Body, children, ready_world


def test_two_councils_share_server_and_runner_and_both_own_them() -> None:
    world = ready_world(council(name="one"), council(name="two"))
    assert len(children(world, "Deployment")) == len(children(world, "RayJob")) == 1
    for child in world.children.values():
        assert {owner["name"] for owner in child["metadata"]["ownerReferences"]} == {"one", "two"}


def test_of_two_councils_the_last_to_go_takes_the_shared_children_away() -> None:
    world = ready_world(council(name="one"), council(name="two"))
    world.delete_council("one")
    world.settle()
    assert len(world.children) == 5
    world.delete_council("two")
    assert world.children == {}


def test_of_two_councils_one_that_changes_leaves_the_other_its_server() -> None:
    world = ready_world(council(name="one"), council(name="two"))
    (shared,) = children(world, "Deployment")
    world.edit(world.councils["one"], models=[ANOTHER])
    world.settle()
    world.start_servers()
    world.come_to_rest()
    assert len(children(world, "Deployment")) == 2
    (owner,) = world.children["Deployment", shared]["metadata"]["ownerReferences"]
    assert owner["name"] == "two"


def test_a_superseded_server_stays_until_the_new_one_is_ready() -> None:
    world = ready_world()
    (old,) = children(world, "Deployment")
    world.edit(world.councils["architects"], models=[ANOTHER])
    world.settle()
    assert old in children(world, "Deployment")
    world.start_servers()
    world.reconcile_council("architects")
    assert old in children(world, "Deployment"), "somebody may have read a status that names it"
    world.pass_time(SETTLED_AFTER_SECONDS)
    plan = world.reconcile_council("architects")
    assert {action.reference.kind for action in plan.actions if isinstance(action, Release)} == {
        "Service",
        "Deployment",
    }
    assert old not in children(world, "Deployment")


def test_a_superseded_runner_stays_while_a_run_waits_for_it() -> None:
    world = ready_world()
    (old,) = children(world, "RayJob")
    world.create(deliberation())
    world.settle()
    world.edit(world.councils["architects"], runner={"maxConcurrentDeliberations": 2})
    world.settle()
    world.start_runners()
    world.settle()
    assert old in children(world, "RayJob")
    world.run_to_the_end("q1")
    world.come_to_rest()
    assert children(world, "RayJob") != [old]
    assert len(children(world, "RayJob")) == 1


def test_a_council_without_a_quiet_moment_drops_the_old_after_the_longest_run() -> None:
    world = ready_world()
    world.edit(world.councils["architects"], models=[ANOTHER])
    world.settle()
    world.start_servers()
    world.create(deliberation(timeoutSeconds=86_400))
    world.councils["architects"]["status"] = {}
    admitted = {"type": "Admitted", "status": "True", "reason": "TaskPublished"}
    world.deliberations["q1"]["status"] |= {"phase": "Deliberating", "conditions": [admitted]}
    world.reconcile_council("architects")
    assert len(children(world, "Deployment")) == 2
    world.pass_time(86_400 + 61)
    world.beat()
    world.reconcile_council("architects")
    assert len(children(world, "Deployment")) == 1


def starved(server: str, since: str) -> Body:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": since}
    metadata = {"name": f"{server}-x", "labels": {"app.kubernetes.io/instance": server}}
    return {"metadata": metadata, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(("since", "left"), [("2026-09-21T14:13:20Z", 2), ("2026-09-21T14:10:00Z", 1)])
def test_a_new_server_that_finds_no_node_is_given_the_room_of_the_old_one(since: str, left: int) -> None:
    world = ready_world()
    (old,) = children(world, "Deployment")
    world.edit(world.councils["architects"], models=[ANOTHER])
    world.settle()
    (new,) = set(children(world, "Deployment")) - {old}
    world.pods = [starved(new, since)]
    world.come_to_rest()
    assert len(children(world, "Deployment")) == left
    assert len(children(world, "RayJob")) == 1
