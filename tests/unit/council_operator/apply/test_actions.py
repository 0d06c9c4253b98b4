from typing import Any

import pytest

from council_operator.apply.actions import carry_out
from council_operator.kube.port import ConflictError, ForbiddenError
from council_operator.plan.actions import Action, Apply, Delete, EmitEvent, ObjectReference, Release
from deliberation.bus.memory import MemoryBus
from fakes.fake_kubernetes import FakeKubernetes, reference_of

SUBJECT: dict[str, Any] = {
    "apiVersion": "councils.dev/v1alpha1",
    "kind": "Deliberation",
    "metadata": {"namespace": "default", "name": "question"},
}
SERVER: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"namespace": "default", "name": "model-1"},
}


def owned_by(*uids: str) -> dict[str, Any]:
    owners = [{"kind": "Council", "name": f"council-{uid}", "uid": uid} for uid in uids]
    return {**SERVER, "metadata": {**SERVER["metadata"], "ownerReferences": owners}}


class World:
    def __init__(self) -> None:
        self.kubernetes = FakeKubernetes()
        self.bus = MemoryBus()
        self.subject = self.kubernetes.put(SUBJECT)

    async def carry_out(self, action: Action) -> None:
        await carry_out(action, self.subject, self.kubernetes, self.bus)

    async def find(self, body: dict[str, Any]) -> dict[str, Any] | None:
        return await self.kubernetes.find(reference_of(body))


@pytest.fixture
def world() -> World:
    return World()


async def test_two_councils_that_apply_the_same_server_both_own_it(world: World) -> None:
    await world.carry_out(Apply(owned_by("a"), "council-a"))
    await world.carry_out(Apply(owned_by("b"), "council-b"))
    live = await world.find(SERVER)
    assert live
    assert [owner["uid"] for owner in live["metadata"]["ownerReferences"]] == ["a", "b"]


async def test_a_released_server_stays_with_its_other_owner(world: World) -> None:
    await world.carry_out(Apply(owned_by("a", "b"), "council-a"))
    await world.carry_out(Release(reference_of(SERVER), "a"))
    live = await world.find(SERVER)
    assert live
    assert [owner["uid"] for owner in live["metadata"]["ownerReferences"]] == ["b"]


async def test_a_server_that_nobody_owns_any_more_goes(world: World) -> None:
    await world.carry_out(Apply(owned_by("a"), "council-a"))
    await world.carry_out(Release(reference_of(SERVER), "a"))
    assert await world.find(SERVER) is None


async def test_releasing_what_is_gone_or_foreign_changes_nothing(world: World) -> None:
    await world.carry_out(Release(reference_of(SERVER), "a"))
    await world.carry_out(Apply(owned_by("b"), "council-b"))
    before = await world.find(SERVER)
    await world.carry_out(Release(reference_of(SERVER), "a"))
    assert await world.find(SERVER) == before


async def test_a_server_that_gains_an_owner_at_this_moment_is_not_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.carry_out(Apply(owned_by("a"), "council-a"))
    find = world.kubernetes.find

    async def find_then_join(reference: ObjectReference) -> dict[str, Any] | None:
        body = await find(reference)
        await world.kubernetes.apply(owned_by("b"), "council-b")
        return body

    monkeypatch.setattr(world.kubernetes, "find", find_then_join)
    with pytest.raises(ConflictError):
        await world.carry_out(Release(reference_of(SERVER), "a"))


async def test_deleting_spares_a_new_object_of_the_same_name(world: World) -> None:
    await world.carry_out(Apply(SERVER, "council-a"))
    with pytest.raises(ConflictError):
        await world.carry_out(Delete(reference_of(SERVER), "another-uid"))
    assert await world.find(SERVER)


async def test_an_event_names_the_object_it_is_about(world: World) -> None:
    await world.carry_out(EmitEvent("Warning", "NoQuorum", "1 of 3 proposals came"))
    (event,) = [body for body in world.kubernetes.objects.values() if body["kind"] == "Event"]
    assert event["involvedObject"]["uid"] == world.subject["metadata"]["uid"]
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "NoQuorum", "1 of 3 proposals came")


async def test_an_event_that_a_terminating_namespace_refuses_fails_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> None:
        raise ForbiddenError(403, "Forbidden", "namespace default is being terminated")

    world.kubernetes.before_write = refuse
    await world.carry_out(EmitEvent("Normal", "Succeeded", "3 of 3 proposals"))
    assert "Deliberation default/question: the Event Succeeded was not taken: 403 Forbidden" in caplog.text
