"""The status of a Council."""

from typing import Any

from council_operator.plan.gpu import plan_observed
from council_operator.plan.idle import find_sleepers
from council_operator.plan.observed import CouncilObserved
from council_operator.plan.roster import Roster, build_roster
from council_operator.plan.settings import RenderSettings
from council_operator.plan.specs import InvalidSpecError
from council_operator.status.conditions import Finding, merge
from council_operator.status.gpu import find_gpu_plan
from council_operator.status.models import TYPE as MODELS_AVAILABLE
from council_operator.status.models import summarise_models
from council_operator.status.runner import TYPE as RUNNER_READY
from council_operator.status.runner import summarise_runner
from deliberation.api.v1alpha1.council_status import CouncilStatus, MemberStatus, ModelStatus, QueueStatus
from deliberation.api.v1alpha1.deliberation_status import Phase
from deliberation.api.v1alpha1.reasons import Reason

Body = dict[str, Any]

_WAITING = (Phase.PENDING, Phase.WARMING, Phase.QUEUED)
_RUNNING = (Phase.DELIBERATING, Phase.RANKING)
_SUSPENDED = (Phase.SUSPENDED,)
_FINISHED = (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)


def summarise(observed: CouncilObserved, settings: RenderSettings) -> Body:
    """Return the whole status: computed anew from what was observed, but for the times of unchanged conditions."""
    try:
        roster = build_roster(observed.body, settings)
    except InvalidSpecError as error:
        return _summarise_invalid(observed, str(error))
    gpus = plan_observed(observed.gpu, find_sleepers(observed, settings), settings, observed.now_ms)
    gpu_plan_valid, gpu_plan = find_gpu_plan(observed, roster, gpus, settings)
    models, models_available = summarise_models(observed, roster, gpus)
    runner, runner_ready = summarise_runner(observed, roster)
    on_gpus = (gpu_plan_valid,) if gpu_plan_valid else ()
    findings = (*on_gpus, models_available, _find_bus(observed), runner_ready)
    can_answer = bool(runner_ready.status) and runner_ready.reason != Reason.ASLEEP
    members = _members(roster, models, runner_ready=can_answer)
    return _status(
        observed,
        (*(_suspended() if roster.spec.suspend else _overall(findings)), *findings),
        models=models,
        model_count=f"{sum(model.ready for model in models)}/{len(models)}",
        members=members,
        seat_count=f"{sum(member.ready_seats for member in members)}/{len(roster.seats)}",
        simulated=roster.is_simulated,
        gpu_plan=gpu_plan,
        runner=runner,
    )


def _status(observed: CouncilObserved, findings: tuple[Finding, ...], **parts: Any) -> Body:  # noqa: ANN401 - fields
    generation = observed.body["metadata"].get("generation", 0)
    conditions = merge(observed.body.get("status", {}), findings, generation, observed.now_ms)
    queue = _queue(observed)
    return CouncilStatus(observed_generation=generation, conditions=conditions, queue=queue, **parts).to_json()


def _summarise_invalid(observed: CouncilObserved, fault: str) -> Body:
    """Return the status of a Council that only a change of its spec can bring on."""
    unknown = "the spec cannot be carried out, so nothing was looked at"
    return _status(
        observed,
        (
            Finding("Ready", status=False, reason=Reason.INVALID_SPEC, message=fault),
            Finding("Reconciling", status=False, reason=Reason.INVALID_SPEC),
            Finding("Stalled", status=True, reason=Reason.INVALID_SPEC, message=fault),
            Finding(MODELS_AVAILABLE, status=None, reason=Reason.INVALID_SPEC, message=unknown),
            _find_bus(observed),
            Finding(RUNNER_READY, status=None, reason=Reason.INVALID_SPEC, message=unknown),
        ),
    )


def _find_bus(observed: CouncilObserved) -> Finding:
    if observed.bus_fault:
        text = f"NATS is not available ({observed.bus_fault.message}): Deliberations wait and go on when it is back"
        return Finding("BusReady", status=False, reason=Reason.BUS_UNAVAILABLE, message=text)
    return Finding("BusReady", status=True, reason=Reason.READY)


def _overall(findings: tuple[Finding, ...]) -> tuple[Finding, Finding, Finding]:
    """Return Ready, Reconciling and Stalled as kstatus reads them. What heals by itself is not stalled."""
    faults = sorted((finding for finding in findings if not finding.status), key=_is_consequence)
    fault = faults[0] if faults else None
    if fault is None:
        soft = next((one for one in findings if one.reason in {Reason.ASLEEP, Reason.MOVING}), None)
        reason = soft.reason if soft else Reason.READY
        text = soft.message if soft else "Deliberations can be put to this Council"
        ready = Finding("Ready", status=True, reason=reason, message=text)
        is_moving = reason == Reason.MOVING
        awaited = "the new model server is awaited" if is_moving else ""
        return ready, Finding("Reconciling", status=is_moving, reason=reason, message=awaited), _not_stalled(reason)
    return (
        Finding("Ready", status=False, reason=fault.reason, message=fault.message),
        Finding("Reconciling", status=True, reason=fault.reason, message=f"{fault.type} is awaited"),
        _not_stalled(fault.reason),
    )


def _suspended() -> tuple[Finding, Finding, Finding]:
    """Return Ready, Reconciling and Stalled of a Council that is to take no Deliberation for now."""
    text = "suspended: no Deliberation is admitted until suspend is false again; those in work are finished"
    reconciling = Finding("Reconciling", status=False, reason=Reason.SUSPENDED)
    return (
        Finding("Ready", status=False, reason=Reason.SUSPENDED, message=text),
        reconciling,
        _not_stalled(Reason.SUSPENDED),
    )


def _is_consequence(finding: Finding) -> bool:
    """Return whether a condition only waits for another one: it explains less than the one it waits for."""
    return finding.reason == Reason.PENDING


def _not_stalled(reason: str) -> Finding:
    return Finding("Stalled", status=False, reason=reason)


def _members(roster: Roster, models: tuple[ModelStatus, ...], *, runner_ready: bool) -> tuple[MemberStatus, ...]:
    """Return the members. A seat is ready when it would answer: actors themselves start with the first question."""
    ready = {model.name for model in models if model.ready and runner_ready}
    return tuple(
        MemberStatus(name=member.name, seats=member.seats, ready_seats=member.seats if member.model_ref in ready else 0)
        for member in roster.spec.members
    )


def _queue(observed: CouncilObserved) -> QueueStatus:
    def count(phases: tuple[Phase, ...]) -> int:
        return sum(observed.phases.get(phase, 0) for phase in phases)

    return QueueStatus(
        queued=count(_WAITING), running=count(_RUNNING), suspended=count(_SUSPENDED), finished=count(_FINISHED)
    )
