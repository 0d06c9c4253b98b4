"""Messages for the tests."""

from typing import Any

from deliberation.api.v1alpha1.deliberation import DEFAULT_CRITERIA
from deliberation.protocol.entries import Proposal
from deliberation.protocol.health import ProbeRequest
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import ModelAddress, ResolvedStrategy, SeatTask, Task

RUNNER = "runner-0123456789"


def build_task(run: Run, **changes: Any) -> Task:
    return Task(
        namespace=run.namespace,
        deliberation_uid=run.deliberation_uid,
        deliberation_name="question",
        attempt=run.attempt,
        council_uid="c0ffee",
        council_name="council",
        question="Which way is north?",
        criteria=DEFAULT_CRITERIA,
        strategy=ResolvedStrategy.PANEL,
        seats=(SeatTask(id="qa-0", member="qa", role="QA", model="small"),),
        models=(ModelAddress(name="small", base_url="http://model/v1", model_name="small"),),
        quorum=1,
        started_at_ms=1_000,
        timeout_ms=60_000,
    ).model_copy(update=changes)


def proposal(number: int) -> Proposal:
    return Proposal(seat=f"qa-{number}", answer=f"answer {number} ✓")


PROBE = ProbeRequest(models=(ModelAddress(name="small", base_url="http://model/v1", model_name="small"),))
