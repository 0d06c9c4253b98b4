"""How a Deliberation ended, in conditions, numbers and advice; never in a word of a model."""

from council_operator.status.conditions import Finding
from deliberation.api.v1alpha1.deliberation_status import Phase
from deliberation.api.v1alpha1.reasons import Reason
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Outcome, Verdict
from deliberation.protocol.streams import DEAD, TaskConsumer
from deliberation.protocol.tasks import Task


def find_end(verdict: Verdict) -> Phase:
    """Return the last phase of a run."""
    ends = {Outcome.SUCCEEDED: Phase.SUCCEEDED, Outcome.CANCELLED: Phase.CANCELLED}
    return ends.get(verdict.outcome, Phase.FAILED)


LAID_ASIDE = (
    f"the runner failed at each of {TaskConsumer.max_deliver} deliveries of this question, so it was laid aside in "
    f"{DEAD.name}: see the runner's log, then ask again with another Deliberation"
)


Failure = tuple[Reason, str]
"""Why nobody took a task up any more, so that the operator ended its run with what there was."""


def conclude(verdict: Verdict, task: Task, standing: Standing, failure: Failure | None) -> tuple[Finding, ...]:
    """Return Ready, Reconciling, Stalled and Succeeded of a run that is over."""
    text = _explain_end(verdict.outcome, task, standing)
    if failure and verdict.outcome not in {Outcome.SUCCEEDED, Outcome.CANCELLED}:
        reason, why = failure
        text = f"{why}; {text}"
        return (*ended(reason, text), failed(reason, text))
    if verdict.outcome is not Outcome.SUCCEEDED:
        reason = Reason(verdict.outcome.value)
        return (*ended(reason, text), failed(reason, text))
    return (
        Finding("Ready", status=True, reason=Reason.SUCCEEDED, message=text),
        Finding("Reconciling", status=False, reason=Reason.SUCCEEDED),
        Finding("Stalled", status=False, reason=Reason.SUCCEEDED),
        Finding("Succeeded", status=True, reason=Reason.SUCCEEDED, message=text),
    )


def ended(reason: Reason, message: str) -> tuple[Finding, Finding, Finding]:
    """Return Ready, Reconciling and Stalled of what will not succeed: kstatus calls it failed, at once."""
    return (
        Finding("Ready", status=False, reason=reason, message=message),
        Finding("Reconciling", status=False, reason=reason),
        Finding("Stalled", status=True, reason=reason, message=message),
    )


def failed(reason: Reason, message: str) -> Finding:
    """Return Succeeded of what will not succeed."""
    return Finding("Succeeded", status=False, reason=reason, message=message)


def _explain_end(outcome: Outcome, task: Task, standing: Standing) -> str:
    """Return how the run ended, in numbers, and what to do about it; never a word of a model."""
    ballots = f", {len(standing.ballots)} ballots" if standing.ballots else ""
    counts = f"{len(standing.list_proposers())} of {len(task.seats)} seats proposed{ballots}"
    seconds = round(task.timeout_ms / 1000)
    advice = {
        Outcome.SUCCEEDED: "",
        Outcome.CANCELLED: "cancelled; what there was is kept",
        Outcome.NO_QUORUM: f"a quorum of {task.quorum} was asked for",
        Outcome.NO_BALLOTS: "no judge gave a usable ballot",
        Outcome.NO_SYNTHESIS: "the synthesiser gave no usable answer",
        Outcome.BUDGET_EXHAUSTED: f"{task.budget_tokens} tokens do not pay for more: raise budget.tokens",
        Outcome.TIMED_OUT: f"the {seconds} s since its admission ran out: raise timeoutSeconds, or add capacity",
    }[outcome]
    return "; ".join(part for part in (counts, advice, _count_abstentions(standing)) if part)


def _count_abstentions(standing: Standing) -> str:
    """Return how many abstentions had which reason; the seats are in `votes.abstentions`."""
    reasons = [abstention.reason.value for abstention in standing.abstentions.values()]
    counts = ", ".join(f"{reasons.count(reason)} {reason}" for reason in sorted(set(reasons)))
    return f"abstentions: {counts}" if counts else ""
