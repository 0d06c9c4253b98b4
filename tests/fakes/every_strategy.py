"""One task of each strategy, with every stage that it can have."""

from deliberation.api.v1alpha1.deliberation import Answer, AnswerType
from deliberation.api.v1alpha1.strategy import Aggregation, Stop, Topology
from deliberation.protocol.tasks import ResolvedStrategy, Task
from fakes.tasks import build_task

CHOICE = Answer(type=AnswerType.CHOICE, choices=("left", "right", "straight on"))

TASKS: dict[str, Task] = {
    "vote": build_task(5, ResolvedStrategy.VOTE, answer=CHOICE, aggregation=Aggregation.PLURALITY),
    "vote of samples": build_task(
        3, ResolvedStrategy.VOTE, answer=CHOICE, samples=3, aggregation=Aggregation.PLURALITY
    ),
    "vote that stops": build_task(
        5, ResolvedStrategy.VOTE, answer=CHOICE, stop=Stop.UNASSAILABLE, seed=1, aggregation=Aggregation.PLURALITY
    ),
    "vote that stops when it is sure enough": build_task(
        15, ResolvedStrategy.VOTE, answer=CHOICE, stop=Stop.BETA, seed=5, aggregation=Aggregation.PLURALITY
    ),
    "panel": build_task(4, orders=2),
    "panel of samples": build_task(3, samples=2),
    "panel with synthesis": build_task(3, orders=2, synthesiser="dev-1"),
    "critique": build_task(3, ResolvedStrategy.CRITIQUE, rounds=2, orders=2, synthesiser="dev-0"),
    "debate": build_task(
        5, ResolvedStrategy.DEBATE, answer=CHOICE, rounds=2, topology=Topology.RING, aggregation=Aggregation.PLURALITY
    ),
    "mixture of agents": build_task(3, ResolvedStrategy.MIXTURE_OF_AGENTS, rounds=2),
}
