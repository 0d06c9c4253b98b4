from typing import Any

from council_operator.apply.status import write_status
from fakes.fake_kubernetes import FakeKubernetes, reference_of

SUBJECT: dict[str, Any] = {
    "apiVersion": "councils.dev/v1alpha1",
    "kind": "Council",
    "metadata": {"namespace": "default", "name": "architects"},
}


async def test_a_status_that_says_nothing_new_is_not_written() -> None:
    kubernetes = FakeKubernetes()
    subject = kubernetes.put(SUBJECT)
    assert await write_status(subject, {"observedGeneration": 1}, kubernetes)
    live = await kubernetes.find(reference_of(SUBJECT))
    assert live
    assert live["status"] == {"observedGeneration": 1}
    assert not await write_status(live, {"observedGeneration": 1}, kubernetes)
    assert len(kubernetes.writes) == 1


async def test_an_object_that_is_gone_needs_no_status() -> None:
    kubernetes = FakeKubernetes()
    subject = {**SUBJECT, "metadata": {**SUBJECT["metadata"], "uid": "gone"}}
    assert not await write_status(subject, {"observedGeneration": 1}, kubernetes)
