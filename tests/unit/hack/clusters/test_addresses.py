from ipaddress import IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.addresses import MOST_CLUSTERS, MOST_NODES, AddressPlan, free_plan
from clusters.errors import Refusal

INDEXES = st.integers(0, MOST_CLUSTERS - 1)


def test_addresses_of_the_second_cluster() -> None:
    plan = AddressPlan(1)
    assert str(plan.nodes) == "10.213.1.0/24"
    assert str(plan.pods) == "10.214.16.0/20"
    assert str(plan.services) == "10.215.16.0/20"
    assert str(plan.host) == "10.213.1.1"
    assert str(plan.node(1)) == "10.213.1.2"
    assert str(plan.pods_of(2)) == "10.214.17.0/24"
    assert str(plan.dns) == "10.215.16.10"
    assert plan.api_url == "https://10.213.1.2:6443"
    assert plan.link == "council1"


def test_no_two_clusters_share_an_address() -> None:
    plans = [AddressPlan(index) for index in range(MOST_CLUSTERS)]
    ranges = [network for plan in plans for network in (plan.nodes, plan.pods, plan.services)]
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))


@given(INDEXES)
def test_every_node_has_pods_of_its_own_within_those_of_the_cluster(index: int) -> None:
    plan = AddressPlan(index)
    pods = [plan.pods_of(number) for number in range(1, MOST_NODES + 1)]
    assert not any(one.overlaps(other) for one, other in combinations(pods, 2))
    assert all(own.subnet_of(plan.pods) for own in pods)
    assert all(
        plan.node(number) in plan.nodes and plan.node(number) != plan.host for number in range(1, MOST_NODES + 1)
    )


@given(st.sets(INDEXES, max_size=MOST_CLUSTERS - 1))
def test_a_free_plan_is_the_first_that_nobody_uses(used: set[int]) -> None:
    assert free_plan(used, []).index == min(set(range(MOST_CLUSTERS)) - used)


def test_a_route_of_the_machine_is_left_alone() -> None:
    assert free_plan([], [IPv4Network("10.214.0.0/20"), IPv4Network("10.213.1.7/32")]).index == 2


def test_a_route_over_everything_is_named_in_the_refusal() -> None:
    with pytest.raises(Refusal, match=r"route to 10\.0\.0\.0/8"):
        free_plan([], [IPv4Network("10.0.0.0/8")])


def test_too_many_clusters_are_refused() -> None:
    with pytest.raises(Refusal, match="16 clusters already"):
        free_plan(range(MOST_CLUSTERS), [])
