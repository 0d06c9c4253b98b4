"""The strategies: each is a preset of the same five stages, so everything else is written once for all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from deliberation.protocol.messages import ResolvedStrategy, Stage, Task


@dataclass(frozen=True)
class Preset:
    """Which stages follow the proposing: those of each round, then judging and synthesis.

    `must_synthesise`: the synthesis is the result, and the last of the declared rounds; elsewhere it is there when the
    task names a synthesiser.
    """

    of_each_round: tuple[Stage, ...] = ()
    has_judging: bool = False
    must_synthesise: bool = False


PRESETS = {
    ResolvedStrategy.VOTE: Preset(),
    ResolvedStrategy.PANEL: Preset(has_judging=True),
    ResolvedStrategy.CRITIQUE: Preset((Stage.CRITIQUE, Stage.EXCHANGE), has_judging=True),
    ResolvedStrategy.DEBATE: Preset((Stage.EXCHANGE,)),
    ResolvedStrategy.MIXTURE_OF_AGENTS: Preset((Stage.EXCHANGE,), must_synthesise=True),
}

SHARES = {Stage.PROPOSE: 60, Stage.CRITIQUE: 30, Stage.EXCHANGE: 40, Stage.JUDGE: 40, Stage.SYNTHESISE: 25}
"""What each stage may take of the timeout, in proportion to the shares of all stages of the run."""


class Leg(NamedTuple):
    """One stage in one round of a run; `end_ms` (since the epoch) is when it should be over."""

    stage: Stage
    round: int
    end_ms: int


def get_preset(task: Task) -> Preset:
    """Return the preset of the task's strategy."""
    return PRESETS[task.strategy]


def get_synthesiser(task: Task) -> str | None:
    """Return the seat that writes the synthesis, if there is to be one: the first, where one must and none is named."""
    return task.synthesiser or (task.seats[0].id if get_preset(task).must_synthesise else None)


def list_legs(task: Task) -> tuple[Leg, ...]:
    """Return the stages of the run in their order, each with its end: the last one's is the run's deadline."""
    stages = tuple(_list_stages(task))
    total = sum(SHARES[stage] for stage, _ in stages)
    passed, legs = 0, []
    for stage, number in stages:
        passed += SHARES[stage]
        legs.append(Leg(stage, number, task.started_at_ms + task.timeout_ms * passed // total))
    return tuple(legs)


def _list_stages(task: Task) -> Iterator[tuple[Stage, int]]:
    preset = get_preset(task)
    yield Stage.PROPOSE, 0
    for number in range(1, task.rounds + (not preset.must_synthesise)):
        for stage in preset.of_each_round:
            yield stage, number
    if preset.has_judging:
        yield Stage.JUDGE, 0
    if get_synthesiser(task):
        yield Stage.SYNTHESISE, 0
