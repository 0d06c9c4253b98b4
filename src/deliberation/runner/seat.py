"""One seat: asks its model what it is asked, and writes what came of it into the ledger. Knows nothing of Ray."""

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from deliberation.api.v1alpha1.reasons import AbstentionReason
from deliberation.bus.port import Bus, MessageTooLargeError
from deliberation.engine.asks import Ask, Contribution
from deliberation.engine.parse import read_reply
from deliberation.engine.request import build_request, find_repair
from deliberation.engine.standing import Standing
from deliberation.engine.usage import add_up
from deliberation.protocol.chat import ChatRequest, ModelError, ReadAccess, Reply
from deliberation.protocol.entries import Abstention, Usage
from deliberation.protocol.tasks import ModelAddress, Task
from deliberation.runner.clock import Clock
from deliberation.runner.persist import persist, run_of
from deliberation.runner.secret_files import read_access

if TYPE_CHECKING:
    from deliberation.protocol.subjects import Run


class Chat(Protocol):
    """What a seat asks of a model client."""

    async def complete(
        self, address: ModelAddress, read_access: ReadAccess, request: ChatRequest, deadline_ms: int, clock: Clock
    ) -> Reply:
        """Return the model's reply, or raise ModelError with the reason why there is none."""


class Seat:
    """One agent of a Council. Keeps nothing between questions but its connections.

    A question that is being answered is never asked a second time: whoever asks again waits for the same answer. So a
    driver that was restarted picks up the calls of the one before.
    """

    def __init__(self, bus: Bus, chat: Chat, secrets_dir: Path, clock: Clock) -> None:
        self._bus = bus
        self._chat = chat
        self._secrets_dir = secrets_dir
        self._clock = clock
        self._in_flight: dict[tuple[Run, str], asyncio.Task[None]] = {}

    async def answer(self, task: Task, standing: Standing, ask: Ask) -> None:
        """Fill the ask's place in the ledger with a proposal, a ballot, or an abstention that says why there is none.

        Cancelling it aborts the call of the model.

        Raises:
            BusUnavailableError: the bus stayed away until well after the deadline.
        """
        place = (run_of(task), ask.key)
        call = self._in_flight.get(place)
        if call is None:
            call = asyncio.create_task(self._fill(task, standing, ask))
            self._in_flight[place] = call
            call.add_done_callback(lambda _: self._in_flight.pop(place, None))
        await call

    async def _fill(self, task: Task, standing: Standing, ask: Ask) -> None:
        entry = await self._think(task, standing, ask)
        try:
            await persist(self._bus, task, entry, self._clock)
        except MessageTooLargeError:
            message = "The answer is larger than a message of the bus can be: lower the member's maxTokens"
            unfit = _abstain(ask, AbstentionReason.MALFORMED_ANSWER, message, entry.usage)
            await persist(self._bus, task, unfit, self._clock)

    async def _think(self, task: Task, standing: Standing, ask: Ask) -> Contribution | Abstention:
        """Return what the model makes of the ask, with the usage of all calls that it took."""
        repeated = Usage(repeated_calls=ask.tries - 1)
        try:
            request = build_request(task, standing, ask)
            reply = await self._complete(task, ask, request)
            entry = read_reply(task, standing, ask, reply)
            repair = find_repair(task, request, reply, entry)
        except ModelError as error:
            return _abstain(ask, error.reason, error.message, add_up(error.usage, repeated))
        if repair:
            entry = await self._repair(task, standing, ask, repair, entry)
        return entry.model_copy(update={"usage": add_up(entry.usage, repeated)})

    async def _repair(
        self, task: Task, standing: Standing, ask: Ask, repair: ChatRequest, unread: Contribution | Abstention
    ) -> Contribution | Abstention:
        """Return what comes of the second call; what was unread at first, when no reply comes."""
        try:
            reply = await self._complete(task, ask, repair)
        except ModelError as error:
            return unread.model_copy(update={"usage": add_up(unread.usage, error.usage)})
        entry = read_reply(task, standing, ask, reply)
        return entry.model_copy(update={"usage": add_up(unread.usage, entry.usage)})

    async def _complete(self, task: Task, ask: Ask, request: ChatRequest) -> Reply:
        address = get_model(task, ask.seat)
        access = partial(read_access, self._secrets_dir, address)
        return await self._chat.complete(address, access, request, task.deadline_ms, self._clock)


def get_model(task: Task, seat_id: str) -> ModelAddress:
    """Return the address of the seat's model.

    Raises:
        KeyError: the task has no such seat, or no such model.
    """
    model_of_seat = {seat.id: seat.model for seat in task.seats}
    address_of_model = {model.name: model for model in task.models}
    return address_of_model[model_of_seat[seat_id]]


def _abstain(ask: Ask, reason: AbstentionReason, message: str, usage: Usage) -> Abstention:
    return Abstention(
        seat=ask.seat, stage=ask.stage, round=ask.round, turn=ask.turn, reason=reason, message=message, usage=usage
    )
