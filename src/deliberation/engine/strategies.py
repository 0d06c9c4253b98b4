"""The strategies: each is a preset of the same five stages, so everything else is written once for all of them."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from deliberation.protocol.entries import Stage
from deliberation.protocol.tasks import ResolvedStrategy, Task


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
    stages = _list_stages(task.strategy, task.rounds, has_synthesis=get_synthesiser(task) is not None)
    begin, given = task.started_at_ms, task.timeout_ms
    total = stages[-1][-1]
    return tuple([Leg(stage, number, begin + given * passed // total) for stage, number, passed in stages])


@lru_cache
def _list_stages(strategy: ResolvedStrategy, rounds: int, *, has_synthesis: bool) -> tuple[tuple[Stage, int, int], ...]:
    """Return stages and rounds, each with the sum of the shares until its end."""
    preset = PRESETS[strategy]
    numbers = range(1, rounds + (not preset.must_synthesise))
    stages = [(Stage.PROPOSE, 0), *((stage, number) for number in numbers for stage in preset.of_each_round)]
    stages += [(Stage.JUDGE, 0)] * preset.has_judging + [(Stage.SYNTHESISE, 0)] * has_synthesis
    passed = accumulate(SHARES[stage] for stage, _ in stages)
    return tuple((stage, number, until) for (stage, number), until in zip(stages, passed, strict=True))
