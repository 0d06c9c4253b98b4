"""Asks a Council many questions at once, strikes in their middle, and collects what they came to."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.world import bus
from deliberation.protocol import streams, subjects
from demonstration.kubectl import Body, Kubectl
from demonstration.story import is_finished
from fault_campaign.judging import Batch
from fault_campaign.patience import patiently

COUNCIL = "campaign"
TIMEOUT_SECONDS = 900
DELIBERATION = "councils.dev/deliberation"
COMPONENT = "app.kubernetes.io/component"
IN_WORK = frozenset({"Deliberating", "Ranking"})
SETTLE_SECONDS = 30
PAUSE_SECONDS = 0.5


def council(runner: Body, latency_milliseconds: int, *, workers: int) -> Body:
    """Return the Council: three seats on a model that only pretends, and answers after a while."""
    return {
        "apiVersion": "councils.dev/v1alpha1",
        "kind": "Council",
        "metadata": {"name": COUNCIL},
        "spec": {
            "models": [
                {
                    "name": "simulated",
                    "simulated": {"accuracyPercent": 70, "latencyMilliseconds": latency_milliseconds, "seed": 1},
                }
            ],
            "members": [{"name": "architect", "role": "Architect", "seats": 3, "modelRef": "simulated"}],
            "runner": {**runner, **({"workers": {"min": workers, "max": workers}} if workers else {})},
        },
    }


def question(prefix: str, number: int) -> Body:
    """Return the Deliberation of that number: the same question and seed in every batch."""
    return {
        "apiVersion": "councils.dev/v1alpha1",
        "kind": "Deliberation",
        "metadata": {"name": f"{prefix}-{number:03}"},
        "spec": {
            "councilRef": {"name": COUNCIL},
            "question": f"Which of our {number + 2} services should move to the new cluster first, and why?",
            "strategy": {"type": "Panel"},
            "timeoutSeconds": TIMEOUT_SECONDS,
            "seed": number,
        },
    }


@dataclass
class Asked:
    """A batch on its way. `begun` is set when all have been taken up, `done` when all have ended."""

    kubectl: Kubectl
    prefix: str
    number: int

    def __post_init__(self) -> None:
        self.finished: dict[str, Body] = {}
        self._taken: set[str] = set()
        self.begun = threading.Event()
        self.done = threading.Event()

    def follow(self) -> None:
        """Note every Deliberation that has ended, until all have."""
        until = time.monotonic() + TIMEOUT_SECONDS + 120
        while time.monotonic() < until and not self.done.is_set():
            for change in self.kubectl.watch("deliberations", seconds=60):
                name = change.body["metadata"]["name"]
                if name.startswith(f"{self.prefix}-"):
                    self._note(name.removeprefix(f"{self.prefix}-"), change.body)
                if len(self.finished) == self.number:
                    break
            time.sleep(0.2)
            if len(self.finished) == self.number:
                self.done.set()

    def _note(self, name: str, body: Body) -> None:
        if is_finished(body):
            self.finished[name] = body
        if is_finished(body) or body.get("status", {}).get("phase") in IN_WORK:
            self._taken.add(name)
        if len(self._taken) == self.number:
            self.begun.set()


def run(
    kubectl: Kubectl,
    prefix: str,
    number: int,
    *,
    after: float = 0.0,
    in_work: bool = False,
    strike: Callable[[Callable[[], None]], None],
) -> Batch:
    """Ask `number` questions at once, strike `after` so many seconds, and return how they ended.

    With `in_work` the seconds begin when all have been taken up. `strike` is given what it must call as soon as it has
    struck.

    Raises:
        TimeoutError: one has not ended long after its deadline.
    """
    asked = Asked(kubectl, prefix, number)
    follower = threading.Thread(target=asked.follow, daemon=True)
    calls_before = count_calls(kubectl)
    begin = time.monotonic()
    bodies = [question(prefix, one) for one in range(number)]
    patiently(lambda: kubectl.apply({"apiVersion": "v1", "kind": "List", "items": bodies}))
    follower.start()
    unfinished: list[int] = []
    if in_work:
        asked.begun.wait(TIMEOUT_SECONDS)
    time.sleep(after)
    strike(lambda: unfinished.append(number - len(asked.finished)))
    follower.join()
    if not asked.done.is_set():
        raise TimeoutError(f"{number - len(asked.finished)} Deliberations of batch {prefix} have not ended")
    seconds = time.monotonic() - begin
    ledgers = patiently(lambda: asyncio.run(read_ledgers(kubectl, asked.finished)))
    calls = count_calls(kubectl) - calls_before
    return Batch(
        dict(asked.finished),
        ledgers,
        seconds,
        unfinished=sum(unfinished),
        calls=calls if calls >= 0 else None,
        attempts=find_attempts(kubectl, asked.finished),
    )


def find_attempts(kubectl: Kubectl, bodies: Mapping[str, Body]) -> dict[str, int]:
    """Return the number of the last RayJob of each Deliberation that has a runner of its own."""
    uids = {body["metadata"]["uid"]: name for name, body in bodies.items()}
    found: dict[str, int] = {}
    for one in patiently(lambda: kubectl.find_all("rayjobs", selector=DELIBERATION)):
        name = uids.get(one["metadata"]["labels"][DELIBERATION])
        _, _, number = one["metadata"]["name"].rpartition("-a")
        if name is not None:
            found[name] = max(found.get(name, 0), int(number))
    return found


def leave_alone(_note_strike: Callable[[], None]) -> None:
    """Strike at nothing."""


def count_calls(kubectl: Kubectl) -> int:
    """Return how many calls the model has answered since its start, when it has no more to answer."""
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        counts = patiently(lambda: read_counts(kubectl))
        if not counts["waiting"] or time.monotonic() > until:
            return counts["calls"]
        time.sleep(PAUSE_SECONDS)


def read_counts(kubectl: Kubectl) -> dict[str, int]:
    """Return what the model tells of itself."""
    [server] = kubectl.find_all("services", selector=f"{COMPONENT}=model")
    path = f"/api/v1/namespaces/{kubectl.namespace}/services/{server['metadata']['name']}:8000/proxy/stats"
    return dict(json.loads(kubectl.run("get", "--raw", path)))


async def read_ledgers(kubectl: Kubectl, bodies: dict[str, Body]) -> dict[str, dict[str, int]]:
    """Return how many messages lie in each place of each Deliberation's ledger."""
    found = {}
    async with bus(kubectl) as client:
        for name, body in bodies.items():
            subject = subjects.ledger_of_deliberation(kubectl.namespace, body["metadata"]["uid"])
            info = await client.jetstream().stream_info(streams.LEDGER.name, subjects_filter=subject)
            found[name] = {key.rpartition(".ledger.")[2]: count for key, count in (info.state.subjects or {}).items()}
    return found
