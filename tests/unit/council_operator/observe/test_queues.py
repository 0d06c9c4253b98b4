"""An operator that starts reads who waits, and who was admitted."""

import pytest

from council_operator.kube.port import KubernetesError
from council_operator.loops import Key
from council_operator.observe.queues import fill, open_after_roll_call
from council_operator.plan.admission import build_task
from council_operator.plan.observed import Turn
from council_operator.plan.roster import runner_name
from council_operator.queues import ROLL_CALL, Queues
from deliberation.bus.memory import MemoryBus
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol.entries import LedgerEntry, Outcome, Suspend, Verdict
from deliberation.protocol.subjects import Run
from fakes.bodies import NAMESPACE, SETTINGS, council_spec, deliberation, ready_council
from fakes.fake_kubernetes import FakeKubernetes

QUESTION = Key("Deliberation", NAMESPACE, "q1")
URGENT = Key("Deliberation", NAMESPACE, "q2")
ONE_PLACE = council_spec(runner={"maxConcurrentDeliberations": 1})
UNDECIDED = Turn(is_decided=False, is_next=False)


async def test_an_operator_that_starts_reads_all_that_there_is_in_the_namespaces_it_serves() -> None:
    cluster = FakeKubernetes()
    for namespace in ("team-a", "team-b"):
        for body in (ready_council(), deliberation("q")):
            cluster.put({**body, "metadata": {**body["metadata"], "namespace": namespace}})
    woken: list[Key] = []
    served = Queues(woken.append, SETTINGS)
    await fill(served, cluster, ("team-b",))
    assert woken == [Key(ROLL_CALL, "team-b", "")]
    everywhere = Queues(lambda _key: None, SETTINGS)
    await fill(everywhere, cluster, ())
    for namespace in ("team-a", "team-b"):
        await open_after_roll_call(everywhere, MemoryBus(), namespace)
        assert everywhere.look_up(Key("Deliberation", namespace, "q")).is_next


async def test_a_cluster_without_our_kinds_has_nobody_who_waits() -> None:
    cluster = FakeKubernetes()
    cluster.absent_kinds = {"Council", "Deliberation"}
    queues = Queues(lambda _key: None, SETTINGS)
    await fill(queues, cluster, ())
    queues.open(NAMESPACE)
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
    assert queues.look_up(QUESTION) == UNDECIDED
    cluster.forbidden_kinds = set()
    await fill(queues, cluster, ())
    queues.open(NAMESPACE)
    assert queues.look_up(QUESTION).is_next


def two_for_one_place() -> Queues:
    """Return closed queues in which q1 seems to wait, and q2, which is urgent, does."""
    queues = Queues(lambda _key: None, SETTINGS)
    queues.council_changed(Key("Council", NAMESPACE, "architects"), ready_council(ONE_PLACE))
    for body in (deliberation(), deliberation("q2", priority=9)):
        queues.deliberation_changed(Key("Deliberation", NAMESPACE, body["metadata"]["name"]), body)
    return queues


@pytest.mark.parametrize(
    ("entries", "turns"),
    [
        ((), [True, False]),
        ((Suspend(number=0),), [False, True]),
        ((Verdict(outcome=Outcome.SUCCEEDED, counted=(), decided_at_ms=1),), [False, True]),
    ],
    ids=["in work", "suspended", "over"],
)
async def test_who_was_admitted_before_the_operator_was_killed_has_a_place(
    entries: tuple[LedgerEntry, ...], turns: list[bool]
) -> None:
    queues, bus, run = two_for_one_place(), MemoryBus(), Run(NAMESPACE, "uid-q1")
    council = ready_council(ONE_PLACE)
    await bus.publish_task(run, runner_name(council, SETTINGS), build_task(deliberation(), council, 1, SETTINGS))
    for entry in entries:
        await bus.publish_entry(run, entry)
    await open_after_roll_call(queues, bus, NAMESPACE)
    assert [queues.look_up(key).is_next for key in (QUESTION, URGENT)] == turns


async def test_while_the_bus_cannot_be_asked_nobody_has_a_turn() -> None:
    queues, bus = two_for_one_place(), MemoryBus()
    bus.lose_connection()
    with pytest.raises(BusUnavailableError):
        await open_after_roll_call(queues, bus, NAMESPACE)
    assert [queues.look_up(key) for key in (QUESTION, URGENT)] == [UNDECIDED, UNDECIDED]
