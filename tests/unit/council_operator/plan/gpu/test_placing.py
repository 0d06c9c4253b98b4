from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from council_operator.plan.gpu.memory import find_need
from council_operator.plan.gpu.nodes import Offer, Pool, read_offers
from council_operator.plan.gpu.placing import Demand, GpuPlan, Holding, Placement, Refusal, ServerId, Stage, plan_gpus
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.api.v1alpha1.vllm import VllmModel
from fakes.fake_nodes import fake_gpu_node

OVERHEAD = 1536
SLICED = fake_gpu_node("a", replicas=4)


def demand(name: str = "m", since_ms: int = 0, stage: Stage = Stage.WAITING, size: str = "", **gpu: Any) -> Demand:
    weights = {"size": size} if size else {}
    body = {"model": "m", "weights": weights, "gpu": {"sharing": "TimeSlicing", **gpu}}
    model = VllmModel.model_validate(body)
    assert model.gpu is not None
    return Demand(ServerId("team", name), model, model.gpu, since_ms, stage)


def plan(*demands: Demand, nodes: Any = (SLICED,), holdings: Any = ()) -> GpuPlan:
    return plan_gpus(demands, holdings, read_offers(nodes), OVERHEAD)


def placed(result: GpuPlan, name: str = "m") -> Placement:
    given = result.verdicts[ServerId("team", name)]
    assert isinstance(given, Placement), given
    return given


def refused(result: GpuPlan, name: str = "m") -> Refusal:
    given = result.verdicts[ServerId("team", name)]
    assert isinstance(given, Refusal), given
    return given


def started(result: GpuPlan) -> list[str]:
    return sorted(server.name for server in result.may_start)


def test_a_server_gets_one_slice_and_its_share_of_the_memory() -> None:
    given = placed(plan(demand(size="2Gi")))
    assert (given.pool.resource, given.slices) == ("nvidia.com/gpu", 1)
    assert given.share.utilization_percent == 23
    assert given.share.kv_cache_mib == 5652 - 2048 - OVERHEAD


def test_a_model_that_needs_more_than_a_slice_is_refused_with_the_numbers() -> None:
    given = refused(plan(demand(size="8Gi")))
    assert given.reason is Reason.GPU_MEMORY_TOO_SMALL
    assert "it needs 9984 MiB" in given.message
    assert "has 5652 MiB" in given.message
    assert plan(demand(size="8Gi")).may_start == frozenset()


def test_the_fifth_of_four_slices_is_refused_with_a_configuration_that_has_room_for_it() -> None:
    result = plan(*(demand(f"m{index}", since_ms=index) for index in range(5)))
    given = refused(result, "m4")
    assert given.reason is Reason.GPU_SLICES_UNAVAILABLE
    assert "a has 0 of 4 left" in given.message
    assert "replicas: 5" in given.config_map


def test_slices_of_a_gpu_that_is_not_divided_are_refused_with_the_configuration() -> None:
    given = refused(plan(demand(), nodes=[fake_gpu_node()]))
    assert given.reason is Reason.GPU_SLICES_UNAVAILABLE
    assert "replicas: 2" in given.config_map


def test_a_whole_gpu_is_not_found_among_slices() -> None:
    assert refused(plan(demand(sharing="Exclusive"))).reason is Reason.GPU_SLICES_UNAVAILABLE
    assert placed(plan(demand(sharing="Exclusive"), nodes=[SLICED, fake_gpu_node("b")])).pool.replicas == 1


def test_parts_of_a_model_share_one_node() -> None:
    both = demand(sharing="Exclusive", slices=2, tensorParallel=2)
    singles = [fake_gpu_node("a"), fake_gpu_node("b")]
    assert refused(plan(both, nodes=singles)).reason is Reason.GPU_SLICES_UNAVAILABLE
    assert placed(plan(both, nodes=[*singles, fake_gpu_node("c", gpus=2)])).slices == 2


def test_a_small_server_leaves_the_node_with_more_room_to_a_larger_one() -> None:
    nodes = [fake_gpu_node("a", gpus=2), fake_gpu_node("b")]
    large = demand("large", 1, sharing="Exclusive", slices=2, tensorParallel=2)
    assert placed(plan(demand("small", sharing="Exclusive"), large, nodes=nodes), "large").slices == 2


def test_a_model_of_known_size_takes_the_smallest_slice_that_has_room_and_another_the_largest() -> None:
    nodes = [SLICED, fake_gpu_node("b", replicas=2)]
    assert placed(plan(demand(size="2Gi"), nodes=nodes)).pool.replicas == 4
    assert placed(plan(demand(size="6Gi"), nodes=nodes)).pool.replicas == 2
    assert placed(plan(demand(), nodes=nodes)).pool.replicas == 2


def test_who_came_first_is_served_first() -> None:
    late, early = demand("a", since_ms=2), demand("z", since_ms=1)
    result = plan(late, early, nodes=[fake_gpu_node(replicas=2, gpus=1, strategy="time-slicing")], holdings=[])
    assert placed(result, "z")
    assert started(result) == ["z"]


def test_a_slice_that_an_undeclared_server_still_holds_is_not_given_out() -> None:
    pool = read_offers([SLICED])[0].pool
    holdings = [Holding(ServerId("other", f"old-{index}"), pool, 1) for index in range(4)]
    assert refused(plan(demand(), holdings=holdings)).reason is Reason.GPU_SLICES_UNAVAILABLE


def test_what_runs_keeps_its_place_although_somebody_older_comes() -> None:
    pool = read_offers([fake_gpu_node(replicas=1)])[0].pool
    running = demand("running", 5, Stage.SERVING, sharing="Exclusive")
    result = plan(
        demand("older", 1, sharing="Exclusive"),
        running,
        nodes=[fake_gpu_node(replicas=1)],
        holdings=[Holding(running.server, pool, 1)],
    )
    assert placed(result, "running").pool == pool
    assert refused(result, "older")


def test_a_server_whose_gpu_is_gone_moves_to_another_or_is_told_so() -> None:
    pool = read_offers([SLICED])[0].pool
    lost = demand("m", stage=Stage.SERVING)
    holdings = [Holding(lost.server, pool, 1)]
    assert refused(plan(lost, nodes=[], holdings=holdings)).reason is Reason.GPU_SLICES_UNAVAILABLE
    other = fake_gpu_node("b", replicas=2)
    assert placed(plan(lost, nodes=[other], holdings=holdings)).pool.replicas == 2
    assert placed(plan(lost, holdings=holdings)).pool == pool


def test_on_shared_gpus_one_server_starts_after_the_other() -> None:
    first, second = demand("first", 1), demand("second", 2)
    result = plan(second, first)
    assert started(result) == ["first"]
    assert result.behind == {second.server: first.server}
    result = plan(second, replace(first, stage=Stage.STARTING))
    assert (started(result), result.behind) == (["first"], {second.server: first.server})
    assert started(plan(second, replace(first, stage=Stage.SERVING))) == ["first", "second"]


def test_nobody_waits_for_a_server_that_does_not_get_on() -> None:
    assert started(plan(demand("stuck", 1, Stage.STUCK), demand("next", 2))) == ["next", "stuck"]


def test_a_server_that_only_just_came_lets_the_others_see_it_first() -> None:
    assert started(plan(demand(stage=Stage.NEW))) == []
    assert started(plan(demand("new", 1, Stage.NEW), demand("known", 2))) == []


def test_whole_gpus_and_partitions_start_at_once() -> None:
    nodes = [fake_gpu_node("a", gpus=2), fake_gpu_node("m", resource="nvidia.com/mig-1g.10gb")]
    mig = demand("mig", sharing="MIG", resourceName="nvidia.com/mig-1g.10gb", stage=Stage.NEW)
    whole = [demand(name, sharing="Exclusive", stage=Stage.NEW) for name in ("x", "y")]
    assert started(plan(mig, *whole, nodes=nodes)) == ["mig", "x", "y"]


def test_where_nodes_cannot_be_read_slices_are_refused_and_whole_gpus_given_unchecked() -> None:
    result = plan_gpus([demand("s"), demand("w", sharing="Exclusive")], [], None, OVERHEAD)
    assert refused(result, "s").reason is Reason.GPU_NODES_UNREADABLE
    assert placed(result, "w").share.budget_mib is None
    assert started(result) == ["w"]
    small = plan_gpus([demand(sharing="Exclusive", size="9Gi", memoryPerSlice="8Gi")], [], None, OVERHEAD)
    assert refused(small).reason is Reason.GPU_MEMORY_TOO_SMALL


def test_a_sleeping_server_keeps_no_units_and_remembers_what_it_had() -> None:
    pool = read_offers([fake_gpu_node()])[0].pool
    asleep = demand("asleep", 0, Stage.ASLEEP, sharing="Exclusive")
    holdings = [Holding(asleep.server, pool, 1, is_live=False)]
    result = plan(asleep, demand("new", 1, sharing="Exclusive"), nodes=[fake_gpu_node()], holdings=holdings)
    assert placed(result, "asleep").pool == placed(result, "new").pool == pool
    assert started(result) == ["new"]
    assert plan(asleep).verdicts == {}


def test_a_woken_server_takes_nothing_from_one_that_runs() -> None:
    pool = read_offers([fake_gpu_node()])[0].pool
    woken = demand("a", 0, Stage.WAITING, sharing="Exclusive")
    running = demand("b", 1, Stage.SERVING, sharing="Exclusive")
    holdings = [Holding(woken.server, pool, 1, is_live=False), Holding(running.server, pool, 1)]
    result = plan(woken, running, nodes=[fake_gpu_node()], holdings=holdings)
    assert placed(result, "b")
    assert refused(result, "a").reason is Reason.GPU_SLICES_UNAVAILABLE


# Properties.

STAGES = st.sampled_from([stage for stage in Stage if stage is not Stage.ASLEEP])
SIZES = st.sampled_from(["", "512Mi", "2Gi", "8Gi", "20Gi"])
NODES = st.lists(
    st.builds(
        fake_gpu_node,
        st.sampled_from("abcdef"),
        gpus=st.integers(0, 3),
        memory_mib=st.sampled_from([8192, 24_576, 81_920]),
        replicas=st.integers(1, 5),
        strategy=st.sampled_from(["", "mps"]),
    ),
    max_size=4,
    unique_by=lambda node: node["metadata"]["name"],
)
SHARED_DEMANDS = st.builds(
    demand,
    st.sampled_from("klmnopqrst"),
    st.integers(0, 3),
    STAGES,
    SIZES,
    sharing=st.sampled_from(["TimeSlicing", "MPS"]),
    memoryPerSlice=st.sampled_from([None, "4Gi", "30Gi"]),
)
WHOLE_DEMANDS = st.integers(1, 3).flatmap(
    lambda parts: st.builds(
        demand,
        st.sampled_from("uvwxyz"),
        st.integers(0, 3),
        STAGES,
        SIZES,
        sharing=st.just("Exclusive"),
        slices=st.just(parts),
        tensorParallel=st.just(parts),
    )
)
DEMANDS = st.lists(SHARED_DEMANDS | WHOLE_DEMANDS, max_size=8, unique_by=lambda one: one.server)


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Demand], list[Holding], tuple[Offer, ...]]:
    """Draw demands, nodes, and holdings of pools that these nodes may have lost since."""
    offers, before = read_offers(draw(NODES)), read_offers(draw(NODES))
    demands = draw(DEMANDS)
    pools = [offer.pool for offer in (*offers, *before)]
    holders = [one.server for one in demands] + [ServerId("team", "undeclared")]
    held = st.builds(Holding, st.sampled_from(holders), st.sampled_from(pools), st.integers(1, 3))
    holdings = draw(st.lists(held, max_size=6, unique_by=lambda one: one.server)) if pools else []
    return demands, holdings, offers


@given(situations())
def test_never_more_slices_are_handed_out_than_nodes_declare(
    situation: tuple[list[Demand], list[Holding], tuple[Offer, ...]],
) -> None:
    demands, holdings, offers = situation
    given_out: dict[Pool, int] = {}
    for verdict in plan_gpus(demands, holdings, offers, OVERHEAD).verdicts.values():
        if isinstance(verdict, Placement):
            given_out[verdict.pool] = given_out.get(verdict.pool, 0) + verdict.slices
    for pool, slices in given_out.items():
        assert slices <= sum(offer.slices for offer in offers if offer.pool == pool)


@given(situations(), st.randoms())
def test_the_plan_depends_on_no_order(
    situation: tuple[list[Demand], list[Holding], tuple[Offer, ...]], random: Any
) -> None:
    demands, holdings, offers = situation
    before = plan_gpus(demands, holdings, offers, OVERHEAD)
    shuffled = [random.sample(list(one), len(one)) for one in (demands, holdings, offers)]
    assert plan_gpus(shuffled[0], shuffled[1], shuffled[2], OVERHEAD) == before


@given(situations())
def test_every_placement_has_room_for_what_is_known(
    situation: tuple[list[Demand], list[Holding], tuple[Offer, ...]],
) -> None:
    demands, holdings, offers = situation
    result = plan_gpus(demands, holdings, offers, OVERHEAD)
    for one in demands:
        verdict = result.verdicts[one.server]
        if isinstance(verdict, Placement):
            share, need = verdict.share, find_need(one.model, one.gpu, OVERHEAD)
            assert share.utilization_percent * verdict.pool.replicas <= 92
            assert share.budget_mib is not None
            assert need.total <= share.budget_mib
            assert share.kv_cache_mib is None or share.kv_cache_mib >= need.kv_cache


@given(situations())
def test_what_was_placed_stays_where_it_is_when_everything_is_looked_at_again(
    situation: tuple[list[Demand], list[Holding], tuple[Offer, ...]],
) -> None:
    demands, _, offers = situation
    first = plan_gpus(demands, [], offers, OVERHEAD)
    holdings = [
        Holding(server, verdict.pool, verdict.slices)
        for server, verdict in first.verdicts.items()
        if isinstance(verdict, Placement)
    ]
    again = plan_gpus(demands, holdings, offers, OVERHEAD)
    kept = {holding.server for holding in holdings}
    assert {server: again.verdicts[server] for server in kept} == {server: first.verdicts[server] for server in kept}


@given(situations())
def test_at_most_one_server_begins_to_start_in_each_pool_of_shared_gpus(
    situation: tuple[list[Demand], list[Holding], tuple[Offer, ...]],
) -> None:
    demands, holdings, offers = situation
    result = plan_gpus(demands, holdings, offers, OVERHEAD)
    begun: list[Pool] = []
    for one in demands:
        verdict = result.verdicts[one.server]
        if isinstance(verdict, Placement) and verdict.pool.is_shared and one.server in result.may_start:
            begun += [verdict.pool] if one.stage is Stage.WAITING else []
            assert one.stage is not Stage.NEW
    assert len(begun) == len(set(begun))


@pytest.mark.parametrize("stage", Stage)
def test_a_server_is_behind_somebody_or_next_or_may_start(stage: Stage) -> None:
    result = plan(demand("one", 1, stage), demand("two", 2))
    for name in ("one", "two"):
        server = ServerId("team", name)
        assert not (server in result.behind and server in result.may_start)


def several(replicas: int, name: str = "m", since_ms: int = 0, slices: int = 1) -> Demand:
    one = demand(name, since_ms, sharing="Exclusive", slices=slices, tensorParallel=slices)
    return replace(one, model=one.model.model_copy(update={"replicas": replicas}))


WHOLE = (fake_gpu_node("a", gpus=2), fake_gpu_node("b", gpus=1))


def test_every_replica_counts_and_may_run_on_a_node_of_its_own() -> None:
    assert placed(plan(several(3), nodes=WHOLE)).replicas == 3
    result = plan(several(2), several(1, "n", since_ms=1), several(1, "o", since_ms=2), nodes=WHOLE)
    assert isinstance(result.verdicts[ServerId("team", "n")], Placement)
    assert refused(result, "o").reason is Reason.GPU_SLICES_UNAVAILABLE


def test_replicas_that_do_not_all_fit_get_nothing_and_take_nothing() -> None:
    result = plan(several(4), several(3, "n", since_ms=1), nodes=WHOLE)
    assert refused(result).message.startswith("for each of 4 replicas: ")
    assert placed(result, "n").replicas == 3


def held_by(server: Demand, replicas: int, nodes: Any = WHOLE) -> Holding:
    return Holding(server.server, read_offers(nodes)[0].pool, 1, replicas=replicas)


def test_more_replicas_are_added_to_what_a_server_holds_in_its_own_pool() -> None:
    other = fake_gpu_node("c", gpus=4, memory_mib=16_384)
    result = placed(plan(several(3), nodes=(*WHOLE, other), holdings=[held_by(several(1), 1)]))
    assert (result.pool, result.replicas) == (read_offers(WHOLE)[0].pool, 3)
    assert not result.lacking
    fewer = placed(plan(several(1), several(2, "n", since_ms=1), nodes=WHOLE, holdings=[held_by(several(1), 3)]))
    assert fewer.replicas == 1


def test_what_runs_goes_on_when_there_is_no_gpu_for_more_of_it() -> None:
    other = several(2, "other")
    holdings = [held_by(several(1), 1), held_by(other, 2)]
    result = placed(plan(several(3), other, nodes=WHOLE, holdings=holdings))
    assert (result.replicas, result.share.utilization_percent) == (1, 92)
    assert result.lacking.startswith("for each of 2 replicas: asked for 1 x nvidia.com/gpu")
    assert "a has 0 of 2 left, b has 0 of 1 left" in result.lacking
    assert placed(plan(several(8), nodes=WHOLE, holdings=holdings[:1])).replicas == 3


def test_replicas_on_nodes_that_stay_go_on_when_another_node_goes() -> None:
    rest = (fake_gpu_node("b", gpus=1),)
    result = placed(plan(several(3), nodes=rest, holdings=[held_by(several(3), 3)]))
    assert result.replicas == 1
    assert "b has 0 of 1 left" in result.lacking
    assert placed(plan(several(3), nodes=WHOLE, holdings=[held_by(several(3), 1)])).replicas == 3


def test_replicas_of_several_gpus_each_need_them_on_one_node() -> None:
    assert placed(plan(several(1, slices=2), nodes=WHOLE)).slices == 2
    assert refused(plan(several(2, slices=2), nodes=WHOLE)).reason is Reason.GPU_SLICES_UNAVAILABLE


def test_replicas_that_are_held_are_kept_against_who_came_before() -> None:
    pool = placed(plan(several(2), nodes=WHOLE)).pool
    held = Holding(ServerId("team", "late"), pool, 1, replicas=2)
    result = plan(several(2, "early"), several(2, "late", since_ms=9), nodes=WHOLE, holdings=(held,))
    assert placed(result, "late").replicas == 2
    assert refused(result, "early").reason is Reason.GPU_SLICES_UNAVAILABLE


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 2)), max_size=5))
def test_no_more_whole_gpus_are_handed_out_to_replicas_than_there_are(asked: list[tuple[int, int]]) -> None:
    demands = [several(n, f"m{index}", since_ms=index, slices=slices) for index, (n, slices) in enumerate(asked)]
    given_out = [one for one in plan(*demands, nodes=WHOLE).verdicts.values() if isinstance(one, Placement)]
    assert sum(one.replicas * one.slices for one in given_out) <= 3
