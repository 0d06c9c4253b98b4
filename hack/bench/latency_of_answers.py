"""`hack/bench/latency`: from apply to the task in JetStream, and from apply to the answer in the status.

Each run applies a ConfigMap and then a Deliberation, so that both meet the same machine at the same time: the first,
seen again by a watch, is the least that anything can take that goes through this API server.
"""

import argparse
import asyncio
import time
from uuid import uuid4

from nats.aio.msg import Msg

from bench.figures import BASELINE, TO_ANSWER, TO_TASK, tabulate
from bench.world import ApiServer, api_server, bus, kubectl_of_environment
from demonstration.kubectl import Body, Kubectl, is_true
from demonstration.story import is_finished

UID_TOKEN = 5
"""Which token of a task's subject is the Deliberation's uid."""

WATCHED = ("configmaps", "deliberations")

RUN_SECONDS = 120
READY_SECONDS = 300

COUNCIL: Body = {
    "apiVersion": "councils.dev/v1alpha1",
    "kind": "Council",
    "metadata": {"name": "bench"},
    "spec": {
        "models": [{"name": "instant", "simulated": {"latencyMilliseconds": 0}}],
        "members": [{"name": "developer", "role": "Developer", "seats": 3, "modelRef": "instant"}],
    },
}


class Marks:
    """When what was seen, by name of object; a mark that somebody waits for wakes him."""

    def __init__(self) -> None:
        self._seen: dict[str, asyncio.Future[float]] = {}

    def set(self, name: str) -> None:
        """Note the first time that something is seen."""
        future = self._future(name)
        if not future.done():
            future.set_result(time.perf_counter())

    async def get(self, name: str) -> float:
        """Return when it was seen, in seconds of the performance counter.

        Raises:
            TimeoutError: it was not, for too long.
        """
        async with asyncio.timeout(RUN_SECONDS):
            return await self._future(name)

    def _future(self, name: str) -> asyncio.Future[float]:
        return self._seen.setdefault(name, asyncio.get_running_loop().create_future())


async def measure(kubectl: Kubectl, council: str, runs: int) -> dict[str, list[float]]:
    """Return the times of each measurement, in milliseconds; the first run warms up and does not count."""
    times: dict[str, list[float]] = {BASELINE: [], TO_TASK: [], TO_ANSWER: []}
    marks = Marks()
    async with api_server(kubectl) as api, bus(kubectl) as client, asyncio.TaskGroup() as background:

        async def note_task(message: Msg) -> None:
            marks.set(f"task/{message.subject.split('.')[UID_TOKEN]}")

        await client.subscribe(f"council.v1.{kubectl.namespace}.task.>", cb=note_task)
        watches = [
            background.create_task(_follow(api, resource, marks)) for resource in ("configmaps", "deliberations")
        ]
        for number in range(runs + 1):
            taken = await _run(api, council, marks, f"bench-{uuid4().hex[:8]}")
            print(f"  run {number} of {runs}: {', '.join(f'{ms:.0f}' for ms in taken)} ms", flush=True)
            if number:
                for name, milliseconds in zip(times, taken, strict=True):
                    times[name].append(milliseconds)
        for watch in watches:
            watch.cancel()
    return times


async def _run(api: ApiServer, council: str, marks: Marks, name: str) -> tuple[float, float, float]:
    """Return the milliseconds of one run: ConfigMap seen, task seen, answer seen."""
    begin = time.perf_counter()
    await api.apply("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
    config_map = await marks.get(f"ConfigMap/{name}") - begin

    spec = {"councilRef": {"name": council}, "question": f"Is run {name} quick?", "timeoutSeconds": RUN_SECONDS}
    body = {"apiVersion": "councils.dev/v1alpha1", "kind": "Deliberation", "metadata": {"name": name}, "spec": spec}
    begin = time.perf_counter()
    applied = await api.apply("deliberations", body)
    task = await marks.get(f"task/{applied['metadata']['uid']}") - begin
    answer = await marks.get(f"Deliberation/{name}") - begin

    await api.delete("configmaps", name)
    await api.delete("deliberations", name)
    return config_map * 1000, task * 1000, answer * 1000


async def _follow(api: ApiServer, resource: str, marks: Marks) -> None:
    """Mark every ConfigMap when it is there, and every Deliberation when it has finished."""
    async for body in api.watch(resource):
        kind, name = body["kind"], body["metadata"]["name"]
        if kind == "ConfigMap" or is_finished(body):
            marks.set(f"{kind}/{name}")


def main() -> None:
    """Run the measurement and print the table."""
    parser = argparse.ArgumentParser(prog="hack/bench/latency", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="runs that count (default: 20)")
    parser.add_argument("--council", help="a Council that is Ready; default: one of our own with a zero-latency model")
    parser.add_argument("--namespace", default="default", help="namespace of --council (default: default)")
    wanted = parser.parse_args()

    kubectl = kubectl_of_environment(wanted.namespace)
    if wanted.council:
        print(_measure_and_tabulate(kubectl, wanted.council, wanted.runs))
        return
    kubectl = kubectl.within(f"bench-{uuid4().hex[:6]}")
    kubectl.run("create", "namespace", kubectl.namespace)
    try:
        kubectl.apply(COUNCIL)
        print("Waiting for a Council with a simulated model of zero latency.", flush=True)
        print(_measure_and_tabulate(kubectl, "bench", wanted.runs))
    finally:
        kubectl.run("delete", "deliberations,councils", "--all", "--wait", "--timeout=90s", seconds=100)
        kubectl.delete("namespaces", kubectl.namespace, seconds=180)


def _measure_and_tabulate(kubectl: Kubectl, council: str, runs: int) -> str:
    ready = kubectl.wait_for("councils", council, lambda body: is_true(body, "Ready"), seconds=READY_SECONDS)
    kind = "simulated model: nothing of this is a model's time" if ready["status"]["simulated"] else "real model"
    seats = ready["status"]["seatCount"]
    return tabulate(asyncio.run(measure(kubectl, council, runs)), f"Council {council}, seats {seats}, {kind}")


if __name__ == "__main__":
    main()
