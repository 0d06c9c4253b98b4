"""Asks runners whether they can reach their models, and remembers the answer for a while."""

from collections.abc import Callable

from deliberation.bus.port import Bus, BusUnavailableError
from deliberation.protocol.health import Heartbeat, ProbeRequest, ProbeResult
from deliberation.protocol.tasks import ModelAddress

GOOD_FOR_SECONDS = 30.0
BAD_FOR_SECONDS = 3.0
PATIENCE_SECONDS = 5.0

Question = tuple[str, str, tuple[ModelAddress, ...]]


class Probes:
    """A small cache in front of the bus: a good answer holds longer than a bad one, so that faults heal fast."""

    def __init__(self, bus: Bus, monotonic: Callable[[], float]) -> None:
        self._bus = bus
        self._monotonic = monotonic
        self._answers: dict[Question, tuple[float, tuple[ProbeResult, ...]]] = {}

    async def ask(
        self, namespace: str, runner: str, models: tuple[ModelAddress, ...], heartbeat_age: float | None
    ) -> tuple[ProbeResult, ...] | None:
        """Return what the runner found, model by model; None while no runner answers."""
        if heartbeat_age is None or heartbeat_age > Heartbeat.SILENT_AFTER_SECONDS or not models:
            return None
        question = (namespace, runner, models)
        until, results = self._answers.get(question, (0.0, ()))
        if self._monotonic() < until:
            return results
        try:
            reply = await self._bus.probe(namespace, runner, ProbeRequest(models=models), PATIENCE_SECONDS)
        except BusUnavailableError:
            return None
        if reply is None:
            return None
        healthy = all(result.reason is None for result in reply.results)
        expires = self._monotonic() + (GOOD_FOR_SECONDS if healthy else BAD_FOR_SECONDS)
        self._forget_expired()
        self._answers[question] = (expires, reply.results)
        return reply.results

    def _forget_expired(self) -> None:
        now = self._monotonic()
        self._answers = {question: answer for question, answer in self._answers.items() if answer[0] > now}
