from ipaddress import IPv4Network
from pathlib import Path

import pytest

from clusters import claims
from clusters.addresses import AddressPlan


@pytest.fixture(autouse=True)
def own_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(claims, "FOLDER", tmp_path / "claims")
    return tmp_path / "claims"


def take(cluster: Path, *routes: str) -> int:
    with claims.undisturbed():
        index = claims.take(cluster, [IPv4Network(route) for route in routes]).index
        cluster.mkdir(parents=True)
    return index


def test_clusters_of_different_users_get_different_addresses(tmp_path: Path) -> None:
    assert take(tmp_path / "ada" / "default") == 0
    assert take(tmp_path / "bob" / "default") == 1


def test_only_the_cluster_that_claimed_a_plan_gives_it_back(tmp_path: Path, own_claims: Path) -> None:
    ada, bob = tmp_path / "ada", tmp_path / "bob"
    take(ada)
    plan = AddressPlan(0)
    assert claims.holds(ada, plan)
    assert not claims.holds(bob, plan)
    claims.give_back(bob, plan)
    assert claims.holds(ada, plan)
    claims.give_back(ada, plan)
    assert not own_claims.exists()


def test_the_claim_of_a_cluster_that_is_gone_can_be_taken_but_for_its_routes(tmp_path: Path) -> None:
    take(tmp_path / "ada")
    (tmp_path / "ada").rmdir()
    assert take(tmp_path / "bob", "10.213.0.0/24") == 1
    assert take(tmp_path / "eve") == 0
