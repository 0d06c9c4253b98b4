"""What is deleted leaves nothing behind that nobody else owns."""

from demonstration.kubectl import Kubectl
from e2e.scene import (
    await_answer,
    await_gone,
    await_no_message_of,
    await_ready,
    await_running,
    bus_of,
    council,
    deliberation,
    messages_of,
    server_of,
    simulated_model,
)

SLOW = 5000
CHILDREN = "deployments,services,secrets,rayjobs,rayclusters"


async def test_a_deliberation_deleted_in_its_middle_leaves_no_message(namespace: Kubectl) -> None:
    namespace.apply(council("slow", model=simulated_model(latencyMilliseconds=SLOW)))
    await_ready(namespace, "slow")
    namespace.apply(deliberation("unwanted", "slow"))
    uid = await_running(namespace, "unwanted")["metadata"]["uid"]
    async with bus_of(namespace) as client:
        assert await messages_of(client, namespace.namespace, uid) > 0
        namespace.delete("deliberations", "unwanted", seconds=60)
        await await_no_message_of(client, namespace.namespace, uid)

    namespace.apply(deliberation("wanted", "slow"))
    await_answer(namespace, "wanted")


def test_the_last_council_takes_what_it_shared(namespace: Kubectl) -> None:
    namespace.apply(council("first"))
    namespace.apply(council("second"))
    namespace.apply(council("other", model=simulated_model(seed=2), runner={"dedicated": True}))
    for name in ("first", "second"):
        await_ready(namespace, name)
    other = await_ready(namespace, "other")
    shared, own = server_of(namespace, "first"), server_of(namespace, "other")
    assert server_of(namespace, "second") == shared != own

    runner = other["status"]["runner"]["rayJob"]

    namespace.delete("councils", "first")
    namespace.delete("councils", "other")
    await_gone(namespace, f"deployment/{own}", f"rayjob/{runner}")
    assert namespace.find("deployments", shared)
    namespace.apply(deliberation("still", "second"))
    await_answer(namespace, "still")

    namespace.delete("councils", "second")
    await_gone(namespace, CHILDREN, "--all")
    assert namespace.run("get", CHILDREN, "--output=name") == ""
