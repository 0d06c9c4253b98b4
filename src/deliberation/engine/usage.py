"""What a run cost."""

from deliberation.api.v1alpha1.deliberation_status import StageUsage, UsageStatus
from deliberation.engine.standing import Standing
from deliberation.protocol.messages import Stage, Task, Usage, Verdict


def tell_usage(task: Task, standing: Standing) -> UsageStatus:
    """Return what the counted entries cost, abstentions included."""
    spent: dict[Stage, list[Usage]] = {
        Stage.PROPOSE: [proposal.usage for proposal in standing.proposals.values()],
        Stage.JUDGE: [ballot.usage for ballot in standing.ballots.values()],
    }
    for abstention in standing.abstentions.values():
        spent[abstention.stage].append(abstention.usage)
    every = [usage for usages in spent.values() for usage in usages]
    prompt_tokens = sum(usage.prompt_tokens for usage in every)
    completion_tokens = sum(usage.completion_tokens for usage in every)
    return UsageStatus(
        calls=sum(usage.calls for usage in every),
        prompt_tokens=prompt_tokens,
        cached_tokens=sum(usage.cached_tokens for usage in every),
        completion_tokens=completion_tokens,
        total_tokens=prompt_tokens + completion_tokens,
        by_stage=tuple(
            StageUsage(
                name=stage.value,
                calls=sum(usage.calls for usage in usages),
                prompt_tokens=sum(usage.prompt_tokens for usage in usages),
                completion_tokens=sum(usage.completion_tokens for usage in usages),
            )
            for stage, usages in spent.items()
            if usages
        ),
        wall_milliseconds=_find_wall_milliseconds(task, standing.verdict),
    )


def _find_wall_milliseconds(task: Task, verdict: Verdict | None) -> int | None:
    return max(0, verdict.decided_at_ms - task.started_at_ms) if verdict else None
