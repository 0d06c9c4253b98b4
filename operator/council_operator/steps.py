"""The steps of both kinds, put together from their parts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from council_operator.kube.port import Kubernetes
from council_operator.loops import Key
from council_operator.observe.council import CouncilObserver
from council_operator.observe.deliberation import observe as observe_deliberation
from council_operator.plan import council as council_plan
from council_operator.plan import deliberation as deliberation_plan
from council_operator.plan.observed import DeliberationObserved
from council_operator.plan.settings import RenderSettings
from council_operator.reconcile import Steps
from council_operator.status import council as council_status
from council_operator.status import deliberation as deliberation_status
from council_operator.telemetry import count_finished
from deliberation.bus.port import Bus


def build_steps(
    settings: RenderSettings, kubernetes: Kubernetes, bus: Bus, councils: CouncilObserver, now_ms: Callable[[], int]
) -> dict[str, Steps[Any]]:
    """Return how each kind is observed, planned and summarised."""

    async def observe(key: Key, before: DeliberationObserved | None) -> DeliberationObserved | None:
        return await observe_deliberation(key, kubernetes, bus, councils.wakes, now_ms, before)

    return {
        "Council": Steps(
            observe=councils.observe,
            plan=lambda observed: council_plan.plan(observed, settings),
            summarise=lambda observed: council_status.summarise(observed, settings),
            is_settled=lambda _observed: False,
            note_refusals=lambda observed, refusals: replace(observed, refusals=refusals),
        ),
        "Deliberation": Steps(
            observe=observe,
            plan=lambda observed: deliberation_plan.plan(observed, settings),
            summarise=deliberation_status.summarise,
            is_settled=lambda observed: (
                deliberation_plan.is_settled(observed) and not deliberation_plan.will_expire(observed)
            ),
            measure=count_finished,
        ),
    }
