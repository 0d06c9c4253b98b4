"""The whole length of it: kubectl, operator, RayJob, actors, model server, NATS, and the answer in the status."""

from demonstration.kubectl import Kubectl
from e2e.scene import (
    PANEL_CALLS,
    await_answer,
    await_ready,
    council,
    deliberation,
    sample,
    server_of,
    simulated_model,
    statistics,
)

COUNCILS = ("dev", "qa", "architect", "devops", "data")


def test_the_simulated_sample_says_that_it_is_simulated(namespace: Kubectl) -> None:
    namespace.apply(sample("council-simulated"))
    assert await_ready(namespace, "reviewers")["status"]["simulated"] is True
    namespace.apply(sample("deliberation"))
    status = await_answer(namespace, "slow-shop")["status"]
    assert status["simulated"] is True
    assert status["proposals"][0]["rank"] == 1
    assert len(status["proposals"]) == 3
    assert status["usage"]["calls"] == PANEL_CALLS


def test_five_councils_share_one_server_and_one_ray_cluster(namespace: Kubectl) -> None:
    namespace.apply(sample("five-councils"))
    for name in COUNCILS:
        assert await_ready(namespace, name)["status"]["seatCount"] == "3/3"
    assert len(namespace.find_all("deployments")) == 1
    (runner,) = namespace.find_all("rayclusters")
    (job,) = namespace.find_all("rayjobs")
    assert {owner["name"] for owner in job["metadata"]["ownerReferences"]} == set(COUNCILS)

    for name in COUNCILS:
        namespace.apply(deliberation(f"ask-{name}", name))
    answers = [await_answer(namespace, f"ask-{name}") for name in COUNCILS]
    assert all(len(answer["status"]["proposals"]) == 3 for answer in answers)
    assert statistics(namespace, server_of(namespace, "dev"))["repeats"] == 0

    head = namespace.find_all("pods", selector=f"ray.io/cluster={runner['metadata']['name']},ray.io/node-type=head")[0]
    actors = "ray list actors --filter state=ALIVE --format json --limit 100"
    listing = namespace.run("exec", head["metadata"]["name"], "--", "bash", "-lc", actors)
    assert listing.count('"actor_id"') >= 15


def test_a_council_may_come_after_its_deliberation(namespace: Kubectl) -> None:
    namespace.apply(deliberation("early", "late"))
    waiting = namespace.wait_for(
        *("deliberations", "early", lambda body: bool(body.get("status", {}).get("conditions"))), seconds=120
    )
    found = {condition["type"]: condition for condition in waiting["status"]["conditions"]}
    assert found["CouncilReady"]["reason"] == "CouncilNotFound"
    assert "late" in found["CouncilReady"]["message"]

    namespace.apply(council("late", model=simulated_model()))
    assert len(await_answer(namespace, "early")["status"]["proposals"]) == 3
