"""Conditions as Kubernetes and its tools expect them: all from the first sight on, times only when they change."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deliberation.api.v1alpha1.base import Condition

Body = dict[str, Any]

MAX_MESSAGE = 512
"""Longest message in characters: a status must stay small, whatever the kubelet or a server has to say."""


@dataclass(frozen=True)
class Finding:
    """What one condition says, before it has a time. `status` None stands for Unknown."""

    type: str
    status: bool | None
    reason: str
    message: str = ""


def merge(previous: Body, findings: Iterable[Finding], generation: int, now_ms: int) -> tuple[Condition, ...]:
    """Return the findings as conditions of this generation.

    `previous` is the status as it was: a condition whose status has not changed keeps its lastTransitionTime.
    """
    before = {condition["type"]: condition for condition in previous.get("conditions", ())}
    now = format_time(now_ms)
    return tuple(_condition(finding, before.get(finding.type), generation, now) for finding in findings)


def _condition(finding: Finding, before: Body | None, generation: int, now: str) -> Condition:
    status = {True: "True", False: "False", None: "Unknown"}[finding.status]
    unchanged = before is not None and before["status"] == status
    return Condition(
        type=finding.type,
        status=status,
        reason=finding.reason,
        message=shorten(finding.message, MAX_MESSAGE),
        last_transition_time=before["lastTransitionTime"] if before and unchanged else now,
        observed_generation=generation,
    )


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def format_time(time_ms: int) -> str:
    """Return a time in milliseconds since the epoch in the form of `metav1.Time`: UTC, whole seconds."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
