"""Which replica of a model gets a call: a pure choice from what the replicas say of themselves.

The seats of one Deliberation read the same beginning, so the replica that has read it once answers the others sooner:
its prefix cache saves most of the prefill. They therefore go to the same one, their home, unless that is busier than
another by a margin. Homes are drawn by rendezvous hashing (Thaler and Ravishankar, 1998): questions spread evenly, and
a replica that comes or goes moves its own questions alone. Who leaves a home goes to the next in the same order, so a
crowded question overflows into one more cache and not into all of them; and because every question has an order of its
own, those who leave at the same moment do not all run to the replica that was the idlest a second ago.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

WAITING_WEIGHT = 4
"""A running call shares a batch and slows the others little; one that waits says that the batch is full."""

MARGIN = 16
"""How much busier than the idlest a home may be. A wave of a Council of sixteen seats does not scatter itself."""

BEGINNING_CHARACTERS = 256
"""Of a prompt: they hold the mark of the question, a digest of all its texts, and no word of the seat's role."""

_SAMPLE = re.compile(r"^vllm:num_requests_(running|waiting)(?:\{[^}]*\})?\s+([0-9.eE+]+)", re.MULTILINE)


@dataclass(frozen=True)
class Load:
    """What a replica works on, and what waits for that."""

    running: int = 0
    waiting: int = 0

    @property
    def busyness(self) -> int:
        """Return how busy it is, in running calls."""
        return self.running + WAITING_WEIGHT * self.waiting


def read_load(metrics: str) -> Load | None:
    """Return the load that a server's metrics tell, added up over its engines; None if they tell nothing of it.

    The names are vLLM's: `vllm:num_requests_running` and `vllm:num_requests_waiting`, in Prometheus' text format.
    """
    counts: dict[str, int] = {}
    for kind, value in _SAMPLE.findall(metrics):
        try:
            counts[kind] = counts.get(kind, 0) + round(float(value))
        except ValueError:
            return None
    return Load(counts["running"], counts.get("waiting", 0)) if "running" in counts else None


def find_beginning(body: Mapping[str, Any]) -> str:
    """Return what requests have in common that are best answered by the same replica."""
    messages = body.get("messages")
    text = messages[0]["content"] if messages else body.get("input", "")
    return str(text)[:BEGINNING_CHARACTERS]


def choose_replica(loads: Mapping[str, Load], beginning: str) -> str:
    """Return the replica for a prompt that begins so: its home, or the first in its order that is not too busy.

    Raises:
        ValueError: there is no replica.
    """
    limit = min(load.busyness for load in loads.values()) + MARGIN
    order = sorted(loads, key=lambda replica: sha256(f"{replica}\n{beginning}".encode("utf-8", "replace")).digest())
    return next(replica for replica in order if loads[replica].busyness <= limit)
