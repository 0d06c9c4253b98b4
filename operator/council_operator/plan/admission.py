"""What a question becomes when a Council takes it: one self-contained Task."""

import json
from typing import Any

from council_operator.plan.roster import build_roster
from council_operator.plan.settings import RenderSettings
from council_operator.plan.specs import InvalidSpecError, parse_council, parse_deliberation
from deliberation.api.v1alpha1.council import Member
from deliberation.api.v1alpha1.deliberation import DEFAULT_CRITERIA, DeliberationSpec, StrategyType
from deliberation.protocol.messages import ResolvedStrategy, Task
from deliberation.protocol.streams import MAX_MESSAGE_BYTES

Body = dict[str, Any]

MAX_TEXT_BYTES = MAX_MESSAGE_BYTES - 128 * 1024
"""Most bytes of users' texts in one task; the rest of the message is for seats, models and names."""


def build_task(deliberation: Body, council: Body, now_ms: int, settings: RenderSettings) -> Task:
    """Return the self-contained task of a Deliberation that is admitted now (milliseconds since the epoch).

    Raises:
        InvalidSpecError: the Deliberation or its Council cannot be carried out.
    """
    spec = parse_deliberation(deliberation)
    roster = build_roster(council, settings)
    metadata = deliberation["metadata"]
    _check_size(spec, roster.spec.members, council["metadata"]["name"])
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
    name = council["metadata"]["name"]
    _choose_quorum(spec, sum(member.seats for member in members), name)
    _check_size(spec, members, name)


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


def _check_size(spec: DeliberationSpec, members: tuple[Member, ...], council_name: str) -> None:
    """Refuse texts that no single message of the bus can carry.

    Raises:
        InvalidSpecError: they are too large; the message has the sizes in bytes.
    """
    asked = len(_as_sent(spec.model_dump(mode="json")))
    told = sum(member.seats * len(_as_sent(member.instructions or "")) for member in members)
    if asked + told > MAX_TEXT_BYTES:
        raise InvalidSpecError(
            f"spec takes {asked} bytes and the instructions of Council {council_name}'s seats {told}, but a task holds "
            f"at most {MAX_TEXT_BYTES}: shorten the context or the instructions"
        )


def _as_sent(text: Any) -> bytes:  # noqa: ANN401 - JSON
    return json.dumps(text, ensure_ascii=False).encode()


def _resolve(spec: DeliberationSpec) -> ResolvedStrategy:
    """Return the strategy to run: votes count for closed answers, texts need judges."""
    if spec.strategy.type is StrategyType.AUTO:
        return ResolvedStrategy.VOTE if spec.answer.is_closed else ResolvedStrategy.PANEL
    return ResolvedStrategy(spec.strategy.type.value)
