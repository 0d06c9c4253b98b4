"""An operator that starts reads who waits."""

import pytest

from council_operator.kube.port import KubernetesError
from council_operator.loops import Key
from council_operator.observe.queues import fill
from council_operator.plan.observed import Turn
from council_operator.queues import Queues
from fakes.bodies import NAMESPACE, SETTINGS, deliberation, ready_council
from fakes.fake_kubernetes import FakeKubernetes

QUESTION = Key("Deliberation", NAMESPACE, "q1")


async def test_an_operator_that_starts_reads_all_that_there_is_in_the_namespaces_it_serves() -> None:
    cluster = FakeKubernetes()
    for namespace in ("team-a", "team-b"):
        for body in (ready_council(), deliberation("q")):
            cluster.put({**body, "metadata": {**body["metadata"], "namespace": namespace}})
    woken: list[Key] = []
    served = Queues(woken.append, SETTINGS)
    await fill(served, cluster, ("team-b",))
    assert woken == [Key("Deliberation", "team-b", "q")]
    everywhere = Queues(lambda _key: None, SETTINGS)
    await fill(everywhere, cluster, ())
    assert [everywhere.look_up(Key("Deliberation", name, "q")).is_next for name in ("team-a", "team-b")] == [True, True]


async def test_a_cluster_without_our_kinds_has_nobody_who_waits() -> None:
    cluster = FakeKubernetes()
    cluster.absent_kinds = {"Council", "Deliberation"}
    queues = Queues(lambda _key: None, SETTINGS)
    await fill(queues, cluster, ())
    queues.council_changed(Key("Council", NAMESPACE, "architects"), ready_council())
    queues.deliberation_changed(QUESTION, deliberation())
    assert queues.look_up(QUESTION).is_next


async def test_a_listing_that_fails_may_be_repeated() -> None:
    cluster = FakeKubernetes()
    cluster.put(ready_council())
    cluster.put(deliberation())
    cluster.forbidden_kinds = {"Deliberation"}
    queues = Queues(lambda _key: None, SETTINGS)
    with pytest.raises(KubernetesError):
        await fill(queues, cluster, ())
    assert queues.look_up(QUESTION) == Turn(is_decided=False, is_next=False)
    cluster.forbidden_kinds = set()
    await fill(queues, cluster, ())
    assert queues.look_up(QUESTION).is_next
