"""Who is asked in a stage, given what stands when it begins."""

from collections.abc import Iterator

from deliberation.engine.asks import Ask
from deliberation.engine.majority import find_keepers
from deliberation.engine.standing import Standing
from deliberation.engine.strategies import get_preset, get_synthesiser
from deliberation.protocol.messages import ResolvedStrategy, Stage, Task


def find_asks(task: Task, standing: Standing, stage: Stage, number: int) -> tuple[Ask, ...]:
    """Return all that is asked in the stage's round, in the order of the seats; nothing when it has no place."""
    match stage:
        case Stage.PROPOSE:
            seats = dict.fromkeys(seat.id for seat in task.seats)
            return tuple(Ask(stage, seat, 0, sample) for seat in seats for sample in range(count_samples(task)))
        case Stage.CRITIQUE:
            return tuple(Ask(stage, seat, number) for seat in _list_debaters(standing))
        case Stage.EXCHANGE:
            return tuple(Ask(stage, seat, number) for seat in _list_revisers(task, standing, number))
        case Stage.JUDGE:
            judges = standing.list_proposers() if has_judging(task, standing) else ()
            return tuple(Ask(stage, judge, 0, order) for judge in judges for order in range(task.orders))
        case _:
            seat = get_synthesiser(task)
            return (Ask(stage, seat),) if seat and _has_synthesis(task, standing) else ()


def count_samples(task: Task) -> int:
    """Return how often each seat proposes. Where proposals are revised, a seat stands for one."""
    preset = get_preset(task)
    return 1 if preset.of_each_round else task.samples


def has_judging(task: Task, standing: Standing) -> bool:
    """Return whether the proposals are judged: by the strategy, when there are others' to compare."""
    return get_preset(task).has_judging and len(standing.list_proposers()) > 1


def _list_debaters(standing: Standing) -> tuple[str, ...]:
    """Return the seats that proposed, if there are several: who is alone has nobody to talk with."""
    seats = standing.list_proposers()
    return seats if len(seats) > 1 else ()


def _list_revisers(task: Task, standing: Standing, number: int) -> Iterator[str]:
    """Yield the seats that have something new to read, and may change their minds."""
    criticised = {
        name for (of_round, _), critique in standing.critiques.items() if of_round == number for name in critique.texts
    }
    keepers = find_keepers(task, standing) if task.strategy is ResolvedStrategy.DEBATE else frozenset()
    for seat in _list_debaters(standing):
        has_news = task.strategy is not ResolvedStrategy.CRITIQUE or seat in criticised
        if has_news and seat not in keepers:
            yield seat


def _has_synthesis(task: Task, standing: Standing) -> bool:
    """Return whether there is something to synthesise: of judged proposals, when their order is known."""
    return bool(standing.ballots) if get_preset(task).has_judging else bool(standing.proposals)
