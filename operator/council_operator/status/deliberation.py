"""The status of a Deliberation: what the ledger says, in the words of the API."""

from typing import Any

from council_operator.plan import health, waiting
from council_operator.plan.admission import check
from council_operator.plan.conditions import find_condition, has_condition
from council_operator.plan.deliberation import (
    is_cancelled_before_admission,
    is_finished,
    is_refused,
    run_of,
)
from council_operator.plan.observed import BusFault, DeliberationObserved
from council_operator.plan.specs import InvalidSpecError
from council_operator.plan.waiting import is_council_ready, is_suspended
from council_operator.status.conditions import Finding, format_time, merge, shorten
from council_operator.status.endings import LAID_ASIDE, Failure, conclude, ended, failed, find_end
from council_operator.status.own_runner import Wait, explain_failure, explain_hold, find_wait, summarise_own_runner
from deliberation.api.v1alpha1.deliberation_record import TranscriptReference
from deliberation.api.v1alpha1.deliberation_status import MAX_ANSWER_LINE, DeliberationStatus, Phase, PlaceInQueue
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.engine.report import report
from deliberation.engine.standing import Standing
from deliberation.engine.step import Work, step
from deliberation.protocol import streams, subjects
from deliberation.protocol.entries import Stage
from deliberation.protocol.tasks import Task

Body = dict[str, Any]


def summarise(observed: DeliberationObserved) -> Body:
    """Return the whole status. Ready and Succeeded always have one reason: tables show it, and users wait for either.

    A finished Deliberation keeps its status for ever, whatever the ledger says later; only the observed generation
    follows, because tools would take a later `cancel` for work in progress.
    """
    previous: Body = observed.body.get("status", {})
    if is_finished(observed.body):
        return _follow_generation(previous, _generation(observed))
    if observed.bus_fault:
        return _summarise_blind(observed, previous, observed.bus_fault)
    if observed.task is None or observed.standing is None:
        return _summarise_waiting(observed)
    return _summarise_run(observed, observed.task, observed.standing)


def _generation(observed: DeliberationObserved) -> int:
    generation: int = observed.body["metadata"].get("generation", 0)
    return generation


def _follow_generation(previous: Body, generation: int) -> Body:
    conditions = [{**condition, "observedGeneration": generation} for condition in previous["conditions"]]
    return {**previous, "observedGeneration": generation, "conditions": conditions}


def _status(observed: DeliberationObserved, findings: tuple[Finding, ...], **parts: Any) -> Body:  # noqa: ANN401 - fields
    previous, generation = observed.body.get("status", {}), _generation(observed)
    conditions = merge(previous, findings, generation, observed.now_ms)
    return DeliberationStatus(observed_generation=generation, conditions=conditions, **parts).to_json()


def _summarise_blind(observed: DeliberationObserved, previous: Body, fault: BusFault) -> Body:
    """Return the status while the bus cannot be asked: what was known stays, and the conditions say what is wrong."""
    text = f"NATS is not available ({fault.message}): nothing is lost, and it goes on when NATS is back"
    is_admitted = has_condition(observed.body, "Admitted")
    findings = (
        Finding("Ready", status=False, reason=Reason.BUS_UNAVAILABLE, message=text),
        Finding("Reconciling", status=True, reason=Reason.BUS_UNAVAILABLE, message=text),
        Finding("Stalled", status=False, reason=Reason.BUS_UNAVAILABLE),
        _admitted() if is_admitted else Finding("Admitted", status=False, reason=Reason.BUS_UNAVAILABLE, message=text),
        _find_council(observed),
        Finding("Succeeded", status=None, reason=Reason.BUS_UNAVAILABLE, message=text),
    )
    generation = _generation(observed)
    conditions = [finding.to_json() for finding in merge(previous, findings, generation, observed.now_ms)]
    phase = {"phase": previous.get("phase", Phase.PENDING.value)}
    return {
        **DeliberationStatus().to_json(),
        **previous,
        **phase,
        "observedGeneration": generation,
        "conditions": conditions,
    }


def _summarise_waiting(observed: DeliberationObserved) -> Body:
    """Return the status of a Deliberation that is not admitted: ended, refused, or waiting for its Council.

    While it is not decided whether the queue takes it in, it stays as it is.
    """
    council = _find_council(observed)
    if is_cancelled_before_admission(observed):
        text = "cancelled before it was admitted: no model was asked"
        return _end_without_task(observed, council, Phase.CANCELLED, Reason.CANCELLED, text)
    if waiting.has_waited_too_long(observed):
        return _end_without_task(observed, council, Phase.FAILED, Reason.TIMED_OUT, _explain_wait(observed, council))
    if not observed.turn.is_decided:
        return dict(observed.body.get("status", {}))
    if is_refused(observed):
        return _end_without_task(observed, council, Phase.FAILED, Reason.QUEUE_FULL, _explain_refusal(observed))
    phase, findings = _hold_back(observed, council)
    return _status(
        observed,
        findings,
        phase=phase,
        queue=_find_place(observed),
        runner=summarise_own_runner(observed),
        start_time=_find_start(observed, phase, findings),
        council=observed.body.get("status", {}).get("council"),
    )


def _find_start(observed: DeliberationObserved, phase: Phase, findings: tuple[Finding, ...]) -> str | None:
    """Return when the timeout began: at the first waiting for the Council, but not of one that waits for anything else.

    Who was admitted before keeps it, unless suspended since.
    """
    start_ms, was_admitted = waiting.find_start_ms(observed), waiting.was_admitted(observed.body)
    if start_ms is None:
        is_begun = phase is Phase.WARMING and not was_admitted
        return format_time(observed.now_ms) if is_begun else None
    is_next = any(one.reason == Reason.PENDING for one in findings)
    is_kept = was_admitted and phase is not Phase.SUSPENDED
    return format_time(start_ms) if phase is Phase.WARMING or is_next or is_kept else None


def _find_start_of_run(observed: DeliberationObserved, task: Task) -> str:
    """Return when the timeout of a run began: it may have waited for its Council before. A resumed one began anew."""
    start: str | None = observed.body.get("status", {}).get("startTime")
    return start if start and not task.resumed else format_time(task.started_at_ms)


def _hold_back(observed: DeliberationObserved, council: Finding) -> tuple[Phase, tuple[Finding, ...]]:
    """Return the phase and the conditions of one that is not admitted now, and may be later."""
    fault = _find_invalid(observed)
    if fault:
        admitted = Finding("Admitted", status=False, reason=Reason.INVALID_SPEC, message=fault)
        succeeded = Finding("Succeeded", status=None, reason=Reason.INVALID_SPEC, message=fault)
        return Phase.PENDING, (*ended(Reason.INVALID_SPEC, fault), admitted, council, succeeded)
    reason, text, phase = _explain_waiting(observed, council)
    is_reconciling = phase is not Phase.SUSPENDED
    return phase, (
        Finding("Ready", status=False, reason=reason, message=text),
        Finding("Reconciling", status=is_reconciling, reason=reason, message=text),
        Finding("Stalled", status=False, reason=reason),
        Finding("Admitted", status=False, reason=reason, message=text),
        council,
        Finding("Succeeded", status=None, reason=reason, message=text),
    )


def _find_place(observed: DeliberationObserved) -> PlaceInQueue | None:
    return None if observed.turn.position is None else PlaceInQueue(position=observed.turn.position)


def _explain_waiting(observed: DeliberationObserved, council: Finding) -> tuple[str, str, Phase]:
    """Return the reason, what to tell, and the phase of one that nothing but time or its user keeps back."""
    if is_suspended(observed.body):
        return Reason.SUSPENDED, "suspended: no model is asked until suspend is false again", Phase.SUSPENDED
    if observed.council is not None and is_suspended(observed.council):
        return Reason.SUSPENDED, council.message, Phase.SUSPENDED
    if not council.status:
        return council.reason, council.message, Phase.PENDING if observed.council is None else Phase.WARMING
    held = explain_hold(observed)
    if held:
        return Reason.RUNNER_SUSPENDED, held, Phase.QUEUED
    if observed.turn.is_next:
        return Reason.PENDING, "about to be admitted", Phase.PENDING
    name = observed.body["spec"]["councilRef"]["name"]
    text = (
        f"in the queue of Council {name}: its runner has runner.maxConcurrentDeliberations in work, or fewer while a "
        "model keeps calls waiting"
    )
    return Reason.QUEUED, text, Phase.QUEUED


def _explain_refusal(observed: DeliberationObserved) -> str:
    name, most = observed.body["spec"]["councilRef"]["name"], observed.turn.most_waiting
    return (
        f"{most} Deliberations of Council {name} wait already, which is its limits.maxQueued: delete this one and "
        "create it again later, or raise maxQueued for those to come"
    )


def _end_without_task(
    observed: DeliberationObserved, council: Finding, phase: Phase, reason: Reason, text: str
) -> Body:
    """Return the status of a Deliberation that ends before anybody was asked."""
    admitted = Finding("Admitted", status=False, reason=reason, message=text)
    return _status(
        observed,
        (*ended(reason, text), admitted, council, failed(reason, text)),
        phase=phase,
        runner=summarise_own_runner(observed),
        start_time=observed.body.get("status", {}).get("startTime"),
        completion_time=format_time(observed.now_ms),
    )


def _explain_wait(observed: DeliberationObserved, council: Finding) -> str:
    """Return what was waited for in vain; the wait comes first, because the Council's own words may be long."""
    waited = f"no model was asked: {waiting.timeout_seconds(observed)} s passed"
    advice = "raise timeoutSeconds of the next Deliberation, or wait for the Council to be Ready"
    if council.status:
        return f"{waited} before its Council was ready, which it is now; {advice}"
    return f"{waited} while it waited for its Council; {advice}. {council.message}"


def _find_invalid(observed: DeliberationObserved) -> str | None:
    """Return why this Council can't carry this Deliberation out, or None."""
    if observed.council is None:
        return None
    try:
        check(observed.body, observed.council)
    except InvalidSpecError as error:
        return str(error)
    return None


def _find_council(observed: DeliberationObserved) -> Finding:
    """Return whether the Council could take a question; for a run in progress this is for information only."""
    name = observed.body["spec"]["councilRef"]["name"]
    council = observed.council
    if council is None:
        text = f"no Council {name} in this namespace: create it, and the Deliberation goes on by itself"
        return Finding("CouncilReady", status=False, reason=Reason.COUNCIL_NOT_FOUND, message=text)
    if is_council_ready(council):
        return Finding("CouncilReady", status=True, reason=Reason.COUNCIL_READY)
    if health.is_being_deleted(council):
        why = "it is being deleted"
    else:
        ready = find_condition(council, "Ready")
        why = f"{ready.get('reason', 'not looked at yet')}: {ready.get('message', '')}".rstrip(": ")
    return Finding("CouncilReady", status=False, reason=Reason.COUNCIL_NOT_READY, message=f"Council {name}: {why}")


def _admitted() -> Finding:
    return Finding("Admitted", status=True, reason=Reason.TASK_PUBLISHED)


def _summarise_run(observed: DeliberationObserved, task: Task, standing: Standing) -> Body:
    """Return the status of a run, in progress or at its end."""
    facts = report(task, standing)
    verdict = standing.verdict
    phase, findings = _find_stand(observed, task, standing)
    return _status(
        observed,
        findings,
        phase=phase,
        queue=None if verdict else _find_place(observed),
        runner=summarise_own_runner(observed),
        start_time=_find_start_of_run(observed, task),
        completion_time=format_time(verdict.decided_at_ms) if verdict else None,
        attempt=task.attempt,
        council=task.council_uid,
        progress=facts.progress,
        strategy=facts.strategy,
        simulated=facts.simulated,
        answer=shorten(facts.result.answer, MAX_ANSWER_LINE) if facts.result else None,
        result=facts.result,
        proposals=facts.proposals,
        votes=facts.votes,
        dissent=facts.dissent,
        agreement=facts.agreement,
        diversity=facts.diversity,
        effective_votes=facts.effective_votes,
        bias=facts.bias,
        baseline=facts.baseline,
        warnings=facts.warnings,
        usage=facts.usage,
        reproducibility=facts.reproducibility,
        transcript_ref=TranscriptReference(
            stream=streams.LEDGER.name,
            subject=subjects.ledger(run_of(observed.body, task)),
            sha256=facts.transcript_sha256,
        ),
    )


def _find_stand(observed: DeliberationObserved, task: Task, standing: Standing) -> tuple[Phase, tuple[Finding, ...]]:
    """Return the phase and the conditions of what was admitted: over, in work, or stopped for now."""
    council = _find_council(observed)
    if standing.suspended and standing.verdict is None and not standing.cancelled:
        return _hold_back(observed, council)
    verdict = standing.verdict
    if verdict:
        *overall, succeeded = conclude(verdict, task, standing, _find_failure(observed, task))
        return find_end(verdict), (*overall, _admitted(), council, succeeded)
    wait = find_wait(observed, task)
    phase = _find_phase(task, standing, observed.now_ms)
    *overall, succeeded = _go_on(observed, phase, wait)
    return wait[2] if wait and phase is Phase.QUEUED else phase, (*overall, _admitted(), council, succeeded)


def _find_failure(observed: DeliberationObserved, task: Task) -> Failure | None:
    """Return why nobody took the task up any more, where it was so."""
    if observed.dead_letter is not None:
        return Reason.DEAD_LETTER, LAID_ASIDE
    failure = explain_failure(observed, task)
    return (Reason.RUNNER_FAILED, failure) if failure else None


def _find_phase(task: Task, standing: Standing, now_ms: int) -> Phase:
    """Return the phase of a run without a verdict."""
    if standing.started is None:
        return Phase.QUEUED
    match step(task, standing, now_ms):
        case Work(stage=Stage.PROPOSE | Stage.CRITIQUE | Stage.EXCHANGE):
            return Phase.DELIBERATING
        case _:
            return Phase.RANKING


def _go_on(observed: DeliberationObserved, phase: Phase, wait: Wait | None) -> tuple[Finding, ...]:
    """Return Ready, Reconciling, Stalled and Succeeded of a run in progress."""
    if observed.body["spec"].get("cancel"):
        reason, text = Reason.CANCELLED, "cancelled; what there is will be kept"
    elif observed.dead_letter is not None:
        reason, text = Reason.DEAD_LETTER, LAID_ASIDE
    elif wait is not None:
        reason, text, _ = wait
    elif phase is Phase.QUEUED:
        reason, text = (
            Reason.PENDING,
            "the runner has not taken the question up yet: it works on others, or starts",
        )
    else:
        reason, text = Reason.DELIBERATING, ""
    return (
        Finding("Ready", status=False, reason=reason, message=text),
        Finding("Reconciling", status=True, reason=reason, message=text),
        Finding("Stalled", status=False, reason=reason),
        Finding("Succeeded", status=None, reason=reason, message=text),
    )
