"""What a run cost."""

from deliberation.api.v1alpha1.deliberation_record import StageUsage, UsageStatus
from deliberation.engine.asks import ask_of
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Stage, Usage, Verdict
from deliberation.protocol.tasks import Task


def tell_usage(task: Task, standing: Standing) -> UsageStatus:
    """Return what the counted entries cost, abstentions included."""
    spent: dict[Stage, list[Usage]] = {stage: [] for stage in Stage}
    for entry in standing.list_entries():
        spent[ask_of(entry).stage].append(entry.usage)
    total = add_up(*(usage for usages in spent.values() for usage in usages))
    sums = {stage: add_up(*usages) for stage, usages in spent.items() if usages}
    return UsageStatus(
        calls=total.calls,
        repeated_calls=total.repeated_calls,
        prompt_tokens=total.prompt_tokens,
        cached_tokens=total.cached_tokens,
        completion_tokens=total.completion_tokens,
        total_tokens=total.prompt_tokens + total.completion_tokens,
        by_stage=tuple(
            StageUsage(
                name=stage.value,
                calls=usage.calls,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
            )
            for stage, usage in sums.items()
        ),
        wall_milliseconds=_find_wall_milliseconds(task, standing.verdict),
    )


def add_up(*usages: Usage) -> Usage:
    """Return what several usages are together."""
    return Usage(
        calls=sum(usage.calls for usage in usages),
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        repeated_calls=sum(usage.repeated_calls for usage in usages),
    )


def _find_wall_milliseconds(task: Task, verdict: Verdict | None) -> int | None:
    return max(0, verdict.decided_at_ms - task.started_at_ms) if verdict else None
