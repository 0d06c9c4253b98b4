"""What to do about what a Deliberation that is gone has left on the bus: stop its run, then take its messages off.

There is no finalizer for this: one would hold every deletion, and that of a namespace, for as long as the operator is
away. Nothing that is left does harm: the run ends by its deadline, and its messages age out.
"""

from typing import NamedTuple

from council_operator.plan.actions import Message, PublishEntry, Purge
from council_operator.plan.own_runner import dismiss
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Cancel
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task

VERDICT_PATIENCE_SECONDS = 5.0
"""How long the runner has to conclude the run that was stopped, before its messages are taken away from it."""

LOOK_SECONDS = 0.5


class Clearing(NamedTuple):
    """What to send, and when to look again, in seconds; None when nothing is left then."""

    messages: tuple[Message, ...]
    look_again_after: float | None = None


def clear(run: Run, task: Task | None, standing: Standing | None, seconds: float) -> Clearing:
    """Return what to do `seconds` after it was found out that the Deliberation of `run` is gone.

    Without a task that can be read there is no standing, and nobody who works on it. A runner of its own has gone with
    it, as the cluster's garbage collector sees to.
    """
    purge: tuple[Message, ...] = (*dismiss(task), Purge(run.namespace, run.deliberation_uid))
    if standing is None:
        return Clearing(purge)
    is_over = standing.verdict is not None
    stop = () if is_over or standing.cancelled else (PublishEntry(run, Cancel()),)
    is_worked_on = standing.started is not None and not is_over and not standing.suspended
    if is_worked_on and seconds < VERDICT_PATIENCE_SECONDS:
        return Clearing(stop, look_again_after=LOOK_SECONDS)
    return Clearing((*stop, *purge))
