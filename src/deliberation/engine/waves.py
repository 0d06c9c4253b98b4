"""Who is asked in a stage, given what stands when it begins."""

from deliberation.engine.asks import Ask
from deliberation.engine.majority import find_keepers
from deliberation.engine.standing import Standing
from deliberation.engine.strategies import get_preset, get_synthesiser
from deliberation.protocol.entries import Stage
from deliberation.protocol.tasks import ResolvedStrategy, Task


def find_asks(task: Task, standing: Standing, stage: Stage, number: int) -> tuple[Ask, ...]:
    """Return all that is asked in the stage's round, in the order of the seats; nothing when it has no place."""
    match stage:
        case Stage.PROPOSE:
            seats, samples = dict.fromkeys([seat.id for seat in task.seats]), range(count_samples(task))
            return tuple([Ask(stage, seat, 0, sample) for seat in seats for sample in samples])
        case Stage.CRITIQUE:
            return tuple([Ask(stage, seat, number) for seat in _list_debaters(standing)])
        case Stage.EXCHANGE:
            return tuple([Ask(stage, seat, number) for seat in _list_revisers(task, standing, number)])
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


def _list_revisers(task: Task, standing: Standing, number: int) -> tuple[str, ...]:
    """Return the seats that have something new to read, and may change their minds."""
    seats = _list_debaters(standing)
    match task.strategy:
        case ResolvedStrategy.CRITIQUE:
            of_this_round = (critique for (of, _), critique in standing.critiques.items() if of == number)
            criticised = {name for critique in of_this_round for name in critique.texts}
            return tuple(seat for seat in seats if seat in criticised)
        case ResolvedStrategy.DEBATE if keepers := find_keepers(task, standing):
            return tuple(seat for seat in seats if seat not in keepers)
        case _:
            return seats


def _has_synthesis(task: Task, standing: Standing) -> bool:
    """Return whether there is something to synthesise: of judged proposals, when their order is known."""
    return bool(standing.ballots) if get_preset(task).has_judging else bool(standing.proposals)
