"""Every reason of a condition or an abstention. Users and alerts match on them, so they never change meaning."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a condition has its status."""

    AWAITING_TURN = "AwaitingTurn"
    BUDGET_EXHAUSTED = "BudgetExhausted"
    BUS_UNAVAILABLE = "BusUnavailable"
    CANCELLED = "Cancelled"
    COUNCIL_NOT_FOUND = "CouncilNotFound"
    COUNCIL_NOT_READY = "CouncilNotReady"
    COUNCIL_READY = "CouncilReady"
    DELIBERATING = "Deliberating"
    ENDPOINT_UNREACHABLE = "EndpointUnreachable"
    GPU_MEMORY_TOO_SMALL = "GPUMemoryTooSmall"
    GPU_NODES_UNREADABLE = "GPUNodesUnreadable"
    GPU_SLICES_UNAVAILABLE = "GPUSlicesUnavailable"
    INVALID_SPEC = "InvalidSpec"
    KUBERAY_NOT_INSTALLED = "KubeRayNotInstalled"
    MODEL_NOT_SERVED = "ModelNotServed"
    MODEL_STARTING = "ModelStarting"
    MODEL_UNAVAILABLE = "ModelUnavailable"
    NO_BALLOTS = "NoBallots"
    NO_QUORUM = "NoQuorum"
    NO_SYNTHESIS = "NoSynthesis"
    PENDING = "Pending"
    READY = "Ready"
    RECONCILE_FAILED = "ReconcileFailed"
    RUNNER_FAILED = "RunnerFailed"
    RUNNER_SILENT = "RunnerSilent"
    RUNNER_STARTING = "RunnerStarting"
    SECRET_MISSING = "SecretMissing"
    SUCCEEDED = "Succeeded"
    TASK_PUBLISHED = "TaskPublished"
    TIMED_OUT = "TimedOut"
    UNAUTHORIZED = "Unauthorized"


class AbstentionReason(StrEnum):
    """Why a seat gave nothing usable."""

    BUDGET_EXHAUSTED = "BudgetExhausted"
    INTERNAL_ERROR = "InternalError"
    MALFORMED_ANSWER = "MalformedAnswer"
    MODEL_UNAVAILABLE = "ModelUnavailable"
    NOT_NEEDED = "NotNeeded"
    REFUSED_BY_SERVER = "RefusedByServer"
    SECRET_MISSING = "SecretMissing"
    STAGE_ENDED = "StageEnded"
    TRUNCATED = "Truncated"
    UNAUTHORIZED = "Unauthorized"
