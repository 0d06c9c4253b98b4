"""What a question becomes when a Council takes it: one self-contained Task."""

import json
from typing import Any

from council_operator.plan.roster import build_roster
from council_operator.plan.settings import RenderSettings
from council_operator.plan.specs import InvalidSpecError, parse_council, parse_deliberation
from council_operator.plan.succession import find_address
from council_operator.render.names import own_runner_name
from deliberation.api.v1alpha1.council import Member
from deliberation.api.v1alpha1.deliberation import DEFAULT_CRITERIA, DeliberationSpec
from deliberation.api.v1alpha1.strategy import Aggregation, Judging, Stop, StrategyType, Topology
from deliberation.engine.strategies import PRESETS
from deliberation.protocol.streams import MAX_MESSAGE_BYTES
from deliberation.protocol.tasks import ResolvedStrategy, SeatTask, Task

Body = dict[str, Any]

DEFAULT_ORDERS = 2
"""Ballots of each judge where none are declared. Judges like what they read first, or last: even GPT-4 kept to its
verdict in 65 % of the cases when the order was reversed (arXiv 2306.05685). In two orders this shows, and evens out."""

MAX_PROPOSALS = 64
"""Most proposals of one run: as many as a Council has seats at most."""

MAX_TEXT_BYTES = MAX_MESSAGE_BYTES - 128 * 1024
"""Most bytes of users' texts in one task; the rest of the message is for seats, models and names."""


def build_task(
    deliberation: Body, council: Body, now_ms: int, settings: RenderSettings, *, resumed: int = 0, waited_ms: int = 0
) -> Task:
    """Return the self-contained task of a Deliberation that is admitted now (milliseconds since the epoch).

    `resumed` is how often it was suspended before: it goes on with the Council as it is now.
    `waited_ms` of its timeout were spent before; what is left is divided among the stages, and the task of one that has
    nothing left, because the bus lost it, ends at once.

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
        own_runner=None if roster.keeps_runner else own_runner_name(metadata["uid"], resumed),
        council_uid=council["metadata"]["uid"],
        council_name=council["metadata"]["name"],
        question=spec.question,
        context=spec.context,
        requirements=spec.requirements,
        criteria=spec.criteria or DEFAULT_CRITERIA,
        answer=spec.answer,
        **_resolve(spec, roster.seats),
        seats=roster.seats,
        models=tuple(find_address(address, council, roster) for address in roster.models),
        quorum=_choose_quorum(spec, len(roster.seats), council["metadata"]["name"]),
        top_k=spec.top_k,
        seed=spec.seed,
        resumed=resumed,
        started_at_ms=now_ms,
        timeout_ms=max(spec.timeout_seconds * 1000 - waited_ms, 1),
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
    seats = sum(member.seats for member in members)
    _choose_quorum(spec, seats, name)
    _check_samples(spec, seats, name)
    _check_stop(spec, members, name)
    _check_synthesiser(spec, members, name)
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


def _check_samples(spec: DeliberationSpec, seats: int, council_name: str) -> None:
    """Refuse more proposals than judges can read.

    Raises:
        InvalidSpecError: they are too many; the message has the numbers.
    """
    samples = spec.strategy.samples or 1
    if seats * samples > MAX_PROPOSALS:
        raise InvalidSpecError(
            f"spec.strategy.samples is {samples}, which makes {seats * samples} proposals of the {seats} seats of "
            f"Council {council_name}, but at most {MAX_PROPOSALS} can be compared: create another Deliberation with "
            "fewer samples"
        )


def _check_stop(spec: DeliberationSpec, members: tuple[Member, ...], council_name: str) -> None:
    """Refuse to stop by chance where votes weigh differently: a vote is one draw, and a weight no number of draws.

    Raises:
        InvalidSpecError: members have different weights; the message has them.
    """
    weights = sorted({member.weight_milli for member in members})
    if spec.strategy.stop is Stop.BETA and len(weights) > 1:
        raise InvalidSpecError(
            f"spec.strategy.stop is Beta, for which every vote counts the same, but the members of Council "
            f"{council_name} have the weightMilli {', '.join(map(str, weights))}: give them one, or create another "
            "Deliberation with stop Unassailable"
        )


def _check_synthesiser(spec: DeliberationSpec, members: tuple[Member, ...], council_name: str) -> None:
    """Refuse a synthesis by a member that the Council does not have.

    Raises:
        InvalidSpecError: there is no such member; the message has those that there are.
    """
    wanted = spec.strategy.synthesis.member_ref if spec.strategy.synthesis else None
    names = [member.name for member in members]
    if wanted is not None and wanted not in names:
        raise InvalidSpecError(
            f"spec.strategy.synthesis.memberRef is {wanted}, but Council {council_name} has no such member: add it to "
            f"the Council, or create another Deliberation that names one of {', '.join(names)}"
        )


def _resolve(spec: DeliberationSpec, seats: tuple[SeatTask, ...]) -> dict[str, Any]:
    """Return the task's fields for the strategy, with the defaults of its type."""
    strategy = spec.strategy
    resolved = _choose_strategy(spec)
    is_judged = PRESETS[resolved].has_judging
    has_synthesis = PRESETS[resolved].must_synthesise or (strategy.synthesis is not None and strategy.synthesis.enabled)
    return {
        "strategy": resolved,
        "rounds": strategy.rounds or 1,
        "topology": strategy.topology or Topology.FULL,
        "keep_if_majority": strategy.keep_if_majority is not False,
        "samples": strategy.samples or 1,
        "aggregation": strategy.aggregation or (Aggregation.SCORE_MEAN if is_judged else Aggregation.PLURALITY),
        "stop": strategy.stop or Stop.NONE,
        "judging": strategy.judging or Judging.BALLOTS,
        "orders": strategy.orders or (DEFAULT_ORDERS if is_judged else 1),
        "synthesiser": _choose_synthesiser(spec, seats) if has_synthesis else None,
        "budget_tokens": spec.budget.tokens if spec.budget else None,
    }


def _choose_strategy(spec: DeliberationSpec) -> ResolvedStrategy:
    """Return the strategy to run: closed answers can be counted, all others need judges."""
    if spec.strategy.type is StrategyType.AUTO:
        return ResolvedStrategy.VOTE if spec.answer.is_closed else ResolvedStrategy.PANEL
    return ResolvedStrategy(spec.strategy.type.value)


def _choose_synthesiser(spec: DeliberationSpec, seats: tuple[SeatTask, ...]) -> str:
    """Return the first seat of the member that is to write the synthesis, or of the Council."""
    member = spec.strategy.synthesis.member_ref if spec.strategy.synthesis else None
    return next(seat.id for seat in seats if member in {None, seat.member})
