"""From bytes of the bus to what they mean. Total: what cannot be read becomes an absence, never an exception."""

import logging
from collections.abc import Callable

from deliberation.protocol import subjects
from deliberation.protocol.entries import LedgerRecord, decode_entry
from deliberation.protocol.messages import MalformedMessageError, decode
from deliberation.protocol.tasks import Task

_log = logging.getLogger(__name__)


def build_record(sequence: int, subject: str, data: bytes) -> LedgerRecord:
    """Return the record of one message of a ledger; its entry is absent when `data` holds none."""
    place = subjects.find_entry(subject)
    key = place[1] if place else subject
    try:
        return LedgerRecord(sequence, key, decode_entry(data))
    except MalformedMessageError:
        return LedgerRecord(sequence, key, None)


def find_task_in(data: bytes) -> Task | None:
    """Return the task that `data` holds, or None when it holds none."""
    try:
        return decode(Task, data)
    except MalformedMessageError:
        return None


def call_back(callback: Callable[[], None], subject: str) -> None:
    """Report a message to whoever watches; one that they cannot bear must not end what brings the next."""
    try:
        callback()
    except MalformedMessageError as fault:
        _log.warning("A message of %s is malformed: %s", subject, fault)
    except Exception:  # noqa: BLE001 - a fault of one message must not end the subscription
        _log.exception("A message of %s could not be taken in", subject)
