"""`hack/bench/queue`: a long queue of one Council, worked off on the cluster: its order, the driver's memory, others.

All Deliberations are queued while their Council is suspended, their three priorities mixed. Then it is resumed. In a
second namespace single Deliberations are asked, before and beside it. Models are simulated; all else is real.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from uuid import uuid4

from bench.turns import Turn, Waits, tabulate
from bench.world import ApiServer, api_server, kubectl_of_environment
from demonstration.kubectl import Body, Kubectl, is_true
from demonstration.story import is_finished

PRIORITIES = (0, 10, 20)
READY_SECONDS = 600
TIMEOUT_SECONDS = 3600
APPLIED_AT_ONCE = 16
SAMPLES = 5
"""How often the driver's memory is read on the way."""

PAUSE_SECONDS = 3.0
"""Between one Deliberation that is asked alone and the next."""

PLACES = 8
LONE = "lone"
QUEUE = "queue"
DRIVER = "deliberation.runner.serving"


def council(name: str, seats: int, latency: int, *, is_suspended: bool = False) -> Body:
    """Return a Council of that many seats on a simulated model."""
    return {
        "apiVersion": "councils.dev/v1alpha1",
        "kind": "Council",
        "metadata": {"name": name},
        "spec": {
            "models": [{"name": "simulated", "simulated": {"latencyMilliseconds": latency, "seed": 1}}],
            "members": [{"name": "developer", "role": "Developer", "seats": seats, "modelRef": "simulated"}],
            "runner": {"maxConcurrentDeliberations": PLACES},
            "suspend": is_suspended,
        },
    }


def question(name: str, council_name: str, priority: int = 0) -> Body:
    """Return a question that is answered by a vote."""
    return {
        "apiVersion": "councils.dev/v1alpha1",
        "kind": "Deliberation",
        "metadata": {"name": name},
        "spec": {
            "councilRef": {"name": council_name},
            "question": f"Which colour has {name}?",
            "answer": {"type": "Choice", "choices": ["red", "green", "blue"]},
            "strategy": {"type": "Vote"},
            "priority": priority,
            "timeoutSeconds": TIMEOUT_SECONDS,
        },
    }


@dataclass
class Journal:
    """When each Deliberation was first seen admitted and finished, and what its status says of both."""

    admitted: dict[str, float] = field(default_factory=dict)
    finished: dict[str, float] = field(default_factory=dict)
    statuses: dict[str, Body] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def note(self, body: Body) -> None:
        """Take in how a Deliberation is now."""
        name, now = body["metadata"]["name"], time.monotonic()
        async with self.changed:
            if is_true(body, "Admitted"):
                self.admitted.setdefault(name, now)
            if is_finished(body) and name not in self.finished:
                self.finished[name] = now
                self.statuses[name] = body["status"]
                self.admitted.setdefault(name, now)
                if not is_true(body, "Succeeded"):
                    self.failed.append(name)
                self.changed.notify_all()

    async def await_finished(self, number: int) -> None:
        """Return as soon as so many have finished."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.finished) >= number)

    async def await_end_of(self, name: str) -> None:
        """Return as soon as that one has finished."""
        async with self.changed:
            await self.changed.wait_for(lambda: name in self.finished)


@dataclass
class Measured:
    """What came of it."""

    turns: list[Turn]
    memory: dict[int, float]
    idle: list[Waits]
    beside: list[Waits]
    seconds: float

    def tabulate(self, seats: int) -> str:
        """Return the table."""
        title = (
            f"{len(self.turns)} Deliberations of {seats} seats, {len(PRIORITIES)} priorities, {PLACES} at a time: "
            f"{self.seconds:.0f} s"
        )
        return f"{title}\n{tabulate(self.turns, PLACES, self.memory, self.idle, self.beside)}"


@asynccontextmanager
async def followed(kubectl: Kubectl) -> AsyncIterator[tuple[ApiServer, Journal]]:
    """Yield the namespace's API, and the journal of its Deliberations."""
    journal = Journal()

    async def follow(api: ApiServer) -> None:
        while True:
            async for body in api.watch("deliberations"):
                await journal.note(body)

    async with api_server(kubectl) as api:
        following = asyncio.create_task(follow(api))
        try:
            yield api, journal
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def ask_alone(api: ApiServer, journal: Journal, council_name: str) -> Waits:
    """Return what one Deliberation takes."""
    name = f"alone-{uuid4().hex[:8]}"
    begin = time.monotonic()
    await api.apply("deliberations", question(name, council_name))
    await journal.await_end_of(name)
    return Waits((journal.admitted[name] - begin) * 1000, (journal.finished[name] - begin) * 1000)


async def fill_queue(api: ApiServer, number: int) -> dict[str, int]:
    """Queue so many Deliberations; return their priorities by name."""
    priorities = {f"q-{index:04}": PRIORITIES[index % len(PRIORITIES)] for index in range(number)}
    names = list(priorities)
    Random(1).shuffle(names)  # noqa: S311 - an order that can be repeated
    free = asyncio.Semaphore(APPLIED_AT_ONCE)

    async def apply(name: str) -> None:
        async with free:
            await api.apply("deliberations", question(name, QUEUE, priorities[name]))

    await asyncio.gather(*(apply(name) for name in names))
    return priorities


async def measure(queue: Kubectl, lone: Kubectl, number: int, seats: int, latency: int) -> Measured:
    """Return what came of a queue of so many Deliberations.

    Raises:
        RuntimeError: one did not succeed.
    """
    async with followed(queue) as (api, journal), followed(lone) as (lone_api, lone_journal):
        await ask_alone(api, journal, QUEUE)  # starts the seats
        await ask_alone(lone_api, lone_journal, LONE)
        idle = [await ask_alone(lone_api, lone_journal, LONE) for _ in range(SAMPLES)]
        await api.apply("councils", council(QUEUE, seats, latency, is_suspended=True))
        priorities = await fill_queue(api, number)
        print(f"queued {number} Deliberations", flush=True)
        beside: list[Waits] = []
        begin = time.monotonic()
        await api.apply("councils", council(QUEUE, seats, latency))
        asking = asyncio.create_task(keep_asking(lone_api, lone_journal, beside))
        memory = {}
        for sample in range(1, SAMPLES + 1):
            due = number * sample // SAMPLES
            await journal.await_finished(1 + due)
            memory[due] = await asyncio.to_thread(read_driver_mib, queue)
            print(f"  {due} answered after {time.monotonic() - begin:.0f} s", flush=True)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        if journal.failed:
            raise RuntimeError(f"{len(journal.failed)} did not succeed: {', '.join(journal.failed[:10])}")
        turns = [read_turn(priority, journal.statuses[name]) for name, priority in priorities.items()]
        seconds = max(journal.finished[name] for name in priorities) - begin
        return Measured(turns, memory, idle, beside, seconds)


def read_turn(priority: int, status: Body) -> Turn:
    """Return when a Deliberation began and ended, by its status: on a busy machine it may be seen ended at once."""
    start, end = (datetime.fromisoformat(status[name]).timestamp() for name in ("startTime", "completionTime"))
    return Turn(priority, start, end)


async def keep_asking(api: ApiServer, journal: Journal, waits: list[Waits]) -> None:
    """Ask one Deliberation after the other, and note what each takes, until cancelled."""
    while True:
        waits.append(await ask_alone(api, journal, LONE))
        await asyncio.sleep(PAUSE_SECONDS)


def read_driver_mib(kubectl: Kubectl) -> float:
    """Return the resident memory of the runner's driver, in MiB."""
    [head] = kubectl.find_all("pods", selector="ray.io/node-type=head")
    command = f"grep VmRSS /proc/$(pgrep --full --oldest '^[^ ]*python[^ ]* -m {DRIVER}')/status"
    told = kubectl.run("exec", head["metadata"]["name"], "--", "bash", "-c", command)
    return int(told.split()[1]) / 1024


@asynccontextmanager
async def namespace_with(kubectl: Kubectl, body: Body) -> AsyncIterator[Kubectl]:
    """Yield a fresh namespace with a Council that is Ready."""
    fresh = kubectl.within(f"bench-{uuid4().hex[:6]}")
    fresh.run("create", "namespace", fresh.namespace)
    try:
        fresh.apply(body)
        fresh.wait_for("councils", body["metadata"]["name"], lambda now: is_true(now, "Ready"), seconds=READY_SECONDS)
        yield fresh
    finally:
        fresh.run("delete", "deliberations,councils", "--all", "--wait", "--timeout=240s", seconds=250)
        fresh.delete("namespaces", fresh.namespace, seconds=180)


async def run(kubectl: Kubectl, number: int, seats: int, latency: int) -> None:
    """Measure in two namespaces of our own, and print the table."""
    async with (
        namespace_with(kubectl, council(QUEUE, seats, latency)) as queue,
        namespace_with(kubectl, council(LONE, 3, latency)) as lone,
    ):
        measured = await measure(queue, lone, number, seats, latency)
        print(measured.tabulate(seats), flush=True)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="hack/bench/queue", description=__doc__)
    parser.add_argument("--deliberations", type=int, default=500, help="how many are queued (default: %(default)s)")
    parser.add_argument("--seats", type=int, default=15, help="seats of the Council (default: %(default)s)")
    parser.add_argument("--latency", type=int, default=100, help="milliseconds of a call (default: %(default)s)")
    wanted = parser.parse_args()
    kubectl = kubectl_of_environment("default")
    asyncio.run(run(kubectl, wanted.deliberations, wanted.seats, wanted.latency))


if __name__ == "__main__":
    main()
