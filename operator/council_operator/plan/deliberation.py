"""What to do for a Deliberation: admit it, stop it, and finish it when nobody else does."""

from typing import Any

from council_operator.plan import health, own_runner, waiting
from council_operator.plan.actions import (
    Action,
    Delete,
    EmitEvent,
    ObjectReference,
    Plan,
    PublishEntry,
    PublishTask,
)
from council_operator.plan.admission import build_task
from council_operator.plan.conditions import find_condition
from council_operator.plan.observed import DeliberationObserved
from council_operator.plan.roster import runner_name
from council_operator.plan.settings import RenderSettings
from council_operator.plan.specs import InvalidSpecError
from council_operator.plan.waiting import is_council_ready, is_suspended
from deliberation.api.v1alpha1.deliberation_status import Phase
from deliberation.api.v1alpha1.reasons import AbstentionReason, Reason
from deliberation.engine.asks import Ask
from deliberation.engine.standing import Standing
from deliberation.engine.step import Finish, Record, Work, step
from deliberation.protocol.entries import Abstention, Cancel, Outcome, Suspend
from deliberation.protocol.subjects import Run
from deliberation.protocol.tasks import Task

Body = dict[str, Any]

TAKEOVER_SECONDS = 15.0
"""How long after the deadline a silent runner is waited for before the operator ends the run itself."""

BUS_LOOK_SECONDS = 10.0
SHORTEST_LOOK_SECONDS = 1.0
LONGEST_LOOK_SECONDS = 60.0
LONGEST_SLEEP_SECONDS = 3600.0
QUEUE_LOOK_SECONDS = 600.0
"""Whose turn comes is woken: with thousands in a queue, looking at each of them now and then would be the most work."""


def plan(observed: DeliberationObserved, settings: RenderSettings) -> Plan:
    """Return what to do for a Deliberation. One that is finished needs nothing more, ever, until it is deleted."""
    if health.is_being_deleted(observed.body):
        return _plan_deletion(observed)
    if is_finished(observed.body):
        return _plan_end(observed)
    if observed.bus_fault:
        return Plan(look_again_after=BUS_LOOK_SECONDS)
    if observed.task is None or observed.standing is None:
        return _plan_admission(observed, settings)
    return _plan_run(observed, observed.task, observed.standing, settings)


def is_settled(observed: DeliberationObserved) -> bool:
    """Return whether nothing can happen to a Deliberation any more, once its status is written."""
    if health.is_being_deleted(observed.body):
        return False
    if is_finished(observed.body) or is_over_before_admission(observed):
        return True
    if observed.standing is None:
        return observed.bus_fault is None and is_suspended(observed.body)
    return observed.standing.verdict is not None or (is_suspended(observed.body) and observed.standing.suspended)


def will_expire(observed: DeliberationObserved) -> bool:
    """Return whether a finished Deliberation is to be deleted some time after its end."""
    return is_finished(observed.body) and observed.body["spec"].get("ttlSecondsAfterFinished") is not None


def is_finished(deliberation: Body) -> bool:
    """Return whether the status tells the end already. It is then the only truth: the ledger ages out."""
    succeeded: str = find_condition(deliberation, "Succeeded").get("status", "Unknown")
    return succeeded != "Unknown"


def is_cancelled_before_admission(observed: DeliberationObserved) -> bool:
    """Return whether a Deliberation was cancelled before it became a task; it never becomes one then."""
    return observed.bus_fault is None and observed.task is None and bool(observed.body["spec"].get("cancel"))


def is_refused(observed: DeliberationObserved) -> bool:
    """Return whether a Deliberation found its Council's queue full; it never becomes a task then."""
    return observed.task is None and observed.turn.most_waiting is not None


def is_over_before_admission(observed: DeliberationObserved) -> bool:
    """Return whether a Deliberation never becomes a task: cancelled, out of time, or refused."""
    return is_cancelled_before_admission(observed) or waiting.has_waited_too_long(observed) or is_refused(observed)


def run_of(deliberation: Body, task: Task | None = None) -> Run:
    """Return what a Deliberation's messages are filed under."""
    metadata = deliberation["metadata"]
    return Run(metadata["namespace"], metadata["uid"], task.attempt if task else 1)


def _plan_admission(observed: DeliberationObserved, settings: RenderSettings) -> Plan:
    """Publish the task once the Council is ready."""
    end = _tell_end_without_task(observed)
    if end:
        return Plan((end,))
    council = observed.council
    if is_suspended(observed.body) or council is None:
        return Plan(tuple(own_runner.stop(observed)))
    if not is_council_ready(council):
        return Plan(look_again_after=_find_end_of_wait(observed))
    if not observed.turn.is_next:
        return Plan(look_again_after=QUEUE_LOOK_SECONDS)
    try:
        task = build_task(
            observed.body,
            council,
            observed.now_ms,
            settings,
            resumed=waiting.count_suspensions(observed),
            waited_ms=waiting.waited_ms(observed),
        )
    except InvalidSpecError:
        return Plan()
    runner = task.own_runner or runner_name(council, settings)
    publish = (
        PublishTask(run_of(observed.body, task), runner, task, replaces=observed.task is not None),
        EmitEvent("Normal", Reason.TASK_PUBLISHED, f"Council {task.council_name} took the question"),
    )
    return own_runner.admit(observed, task.own_runner, publish, settings) if task.own_runner else Plan(publish)


def _find_end_of_wait(observed: DeliberationObserved) -> float | None:
    """Return when to look at one again whose Council is not ready, in seconds; None if its wait has no end."""
    if not waiting.is_charged(observed):
        return None
    return min(QUEUE_LOOK_SECONDS, max(waiting.seconds_left(observed), SHORTEST_LOOK_SECONDS))


def _tell_end_without_task(observed: DeliberationObserved) -> EmitEvent | None:
    """Return what to tell of a Deliberation that never becomes a task; None of one that may."""
    if is_cancelled_before_admission(observed):
        return EmitEvent("Normal", Reason.CANCELLED, "Cancelled before it was admitted: no model was asked")
    if waiting.has_waited_too_long(observed):
        return EmitEvent("Warning", Reason.TIMED_OUT, "The Council was not ready within timeoutSeconds")
    if is_refused(observed):
        return EmitEvent("Warning", Reason.QUEUE_FULL, "Refused, because its Council's queue is full")
    return None


def _plan_run(observed: DeliberationObserved, task: Task, standing: Standing, settings: RenderSettings) -> Plan:
    """Leave a run to its runner, unless it is to stop or to go on, or the runner is silent after the deadline."""
    if standing.verdict:
        leave: tuple[Action, ...] = (*own_runner.dismiss(task), *own_runner.stop_silent(observed, task))
        return Plan((*leave, _tell_end(standing.verdict.outcome, standing, task)))
    if observed.body["spec"].get("cancel") and not standing.cancelled:
        return Plan((PublishEntry(run_of(observed.body, task), Cancel()),))
    if not standing.cancelled and is_suspended(observed.body):
        return Plan(_suspend(observed, task, standing))
    if not standing.cancelled and standing.suspended:
        return _plan_admission(observed, settings)
    takeover_ms = task.deadline_ms + round(TAKEOVER_SECONDS * 1000)
    if standing.cancelled or _is_left_alone(observed, task) or observed.now_ms >= takeover_ms:
        return Plan(_take_over(observed, task, standing), look_again_after=1.0)
    going = own_runner.keep_going(observed, task.own_runner, settings) if task.own_runner else Plan()
    seconds = min(LONGEST_LOOK_SECONDS, (takeover_ms - observed.now_ms) / 1000)
    return Plan(going.actions, look_again_after=min(seconds, going.look_again_after or seconds))


def _is_left_alone(observed: DeliberationObserved, task: Task) -> bool:
    """Return whether no runner will take a task up any more."""
    return observed.dead_letter is not None or own_runner.is_given_up(observed, task)


def _suspend(observed: DeliberationObserved, task: Task, standing: Standing) -> tuple[Action, ...]:
    """Stop the run; its ledger and its task stay, so that it can still be told where it stands, or be cancelled."""
    stop: tuple[Action, ...] = tuple(own_runner.stop(observed))
    if standing.suspended:
        return stop
    text = "Suspended: calls are stopped, and what there is is kept"
    entry = PublishEntry(run_of(observed.body, task), Suspend(number=task.resumed))
    return entry, *own_runner.dismiss(task), *stop, EmitEvent("Normal", Reason.SUSPENDED, text)


def _plan_end(observed: DeliberationObserved) -> Plan:
    """Stop what still runs for a finished Deliberation, and delete it when its time has come.

    The driver of one that succeeded ends by itself, and its RayJob then says so.
    """
    expiry = _plan_expiry(observed)
    if observed.body["status"]["phase"] == Phase.SUCCEEDED:
        return expiry
    return Plan((*own_runner.stop(observed), *expiry.actions), expiry.look_again_after)


def _plan_expiry(observed: DeliberationObserved) -> Plan:
    """Delete a finished Deliberation when its time has come, if it has one."""
    body = observed.body
    if not will_expire(observed):
        return Plan()
    end_ms = health.parse_time_ms(body["status"]["completionTime"])
    seconds = body["spec"]["ttlSecondsAfterFinished"] - (observed.now_ms - end_ms) / 1000
    if seconds > 0:
        return Plan(look_again_after=min(LONGEST_SLEEP_SECONDS, seconds))
    metadata = body["metadata"]
    reference = ObjectReference(body["apiVersion"], body["kind"], metadata["namespace"], metadata["name"])
    return Plan((Delete(reference, metadata["uid"]),))


def _take_over(observed: DeliberationObserved, task: Task, standing: Standing) -> tuple[Action, ...]:
    """Write what the engine asks for next. Every entry is created once, so a runner that does the same does no harm."""
    run = run_of(observed.body, task)
    match step(task, standing, observed.now_ms):
        case Record(entries):
            return tuple(PublishEntry(run, entry) for entry in entries)
        case Finish(verdict):
            return (PublishEntry(run, verdict), *own_runner.dismiss(task))
        case Work(asks=asks) if _is_left_alone(observed, task):
            return tuple(PublishEntry(run, _abstain(ask)) for ask in asks)
        case _:
            return ()


def _abstain(ask: Ask) -> Abstention:
    """Return that a seat gave nothing, for a task that no runner will take up again."""
    return Abstention(
        seat=ask.seat,
        stage=ask.stage,
        round=ask.round,
        turn=ask.turn,
        reason=AbstentionReason.INTERNAL_ERROR,
        message="No runner brought this question to an end, so it was laid aside: see the log of the last one",
    )


def _tell_end(outcome: Outcome, standing: Standing, task: Task) -> EmitEvent:
    kind = "Normal" if outcome in {Outcome.SUCCEEDED, Outcome.CANCELLED} else "Warning"
    ballots = f", {len(standing.ballots)} ballots" if standing.ballots else ""
    counts = f"{len(standing.list_proposers())} of {len(task.seats)} seats proposed{ballots}"
    return EmitEvent(kind, outcome.value, counts)


def _plan_deletion(observed: DeliberationObserved) -> Plan:
    """Stop the run of one that a finalizer of somebody else still holds; plan/leavings.py does the rest."""
    if observed.bus_fault:
        return Plan(look_again_after=BUS_LOOK_SECONDS)
    task, standing = observed.task, observed.standing
    if task is None or standing is None or standing.verdict or standing.cancelled:
        return Plan()
    return Plan((PublishEntry(run_of(observed.body, task), Cancel()),))
