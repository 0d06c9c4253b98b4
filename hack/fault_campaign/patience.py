"""Asks again what an API server, or a way to it, did not answer: what is struck may be on that way."""

import time
from collections.abc import Callable
from typing import TypeVar

from nats.errors import Error as NatsError

from demonstration.kubectl import KubectlError

Answer = TypeVar("Answer")

TRIES = 20
PAUSE_SECONDS = 3.0


def patiently(ask: Callable[[], Answer], *, pause: Callable[[float], None] = time.sleep) -> Answer:
    """Return the answer to what may be asked again without harm.

    Raises:
        KubectlError: there is none after a minute.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            return ask()
        except (KubectlError, NatsError, OSError, RuntimeError):
            if not tries_left:
                raise
        pause(PAUSE_SECONDS)
    raise AssertionError
