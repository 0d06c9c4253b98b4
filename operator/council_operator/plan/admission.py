"""What a question becomes when a Council takes it: one self-contained Task."""

from typing import Any

from council_operator.plan.roster import build_roster
from council_operator.plan.settings import RenderSettings
from council_operator.plan.specs import InvalidSpecError, parse_council, parse_deliberation
from deliberation.api.v1alpha1.deliberation import DEFAULT_CRITERIA, AnswerType, DeliberationSpec, StrategyType
from deliberation.protocol.messages import ResolvedStrategy, Task

Body = dict[str, Any]


def build_task(deliberation: Body, council: Body, now_ms: int, settings: RenderSettings) -> Task:
    """Return the self-contained task of a Deliberation that is admitted now (milliseconds since the epoch).

    Raises:
        InvalidSpecError: the Deliberation or its Council cannot be carried out.
    """
    spec = parse_deliberation(deliberation)
    roster = build_roster(council, settings)
    metadata = deliberation["metadata"]
    return Task(
        namespace=metadata["namespace"],
        deliberation_uid=metadata["uid"],
        deliberation_name=metadata["name"],
        council_uid=council["metadata"]["uid"],
        council_name=council["metadata"]["name"],
        question=spec.question,
        context=spec.context,
        requirements=spec.requirements,
        criteria=spec.criteria or DEFAULT_CRITERIA,
        answer=spec.answer,
        strategy=_resolve(spec),
        seats=roster.seats,
        models=roster.models,
        quorum=_choose_quorum(spec, len(roster.seats), council["metadata"]["name"]),
        top_k=spec.top_k,
        seed=spec.seed,
        started_at_ms=now_ms,
        timeout_ms=spec.timeout_seconds * 1000,
    )


def check(deliberation: Body, council: Body) -> None:
    """Check what the schema cannot: whether this Council can carry this Deliberation out.

    A Council whose own spec is at fault says so itself; that is no fault of the Deliberation's.

    Raises:
        InvalidSpecError: it cannot; the message has the numbers.
    """
    spec = parse_deliberation(deliberation)
    try:
        members = parse_council(council).members
    except InvalidSpecError:
        return
    _choose_quorum(spec, sum(member.seats for member in members), council["metadata"]["name"])


def _choose_quorum(spec: DeliberationSpec, seats: int, council_name: str) -> int:
    """Return the declared quorum, or more than half of the seats.

    Raises:
        InvalidSpecError: more proposals are wanted than there are seats.
    """
    quorum = spec.quorum if spec.quorum is not None else seats // 2 + 1
    if quorum > seats:
        raise InvalidSpecError(
            f"spec.quorum is {quorum}, but Council {council_name} has {seats} seats: "
            f"add seats to the Council, or create another Deliberation with a quorum of at most {seats}"
        )
    return quorum


def _resolve(spec: DeliberationSpec) -> ResolvedStrategy:
    """Return the strategy to run: votes count for closed answers, texts need judges."""
    if spec.strategy.type is StrategyType.AUTO:
        return ResolvedStrategy.PANEL if spec.answer.type is AnswerType.TEXT else ResolvedStrategy.VOTE
    return ResolvedStrategy(spec.strategy.type.value)
