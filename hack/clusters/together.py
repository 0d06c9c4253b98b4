"""Work done at the same time, of which nothing goes on once a part of it has failed or the user interrupts."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from clusters import commands

P = ParamSpec("P")
T = TypeVar("T")
MOST_AT_ONCE = 32


class Together:
    """Parts of work that run at the same time, each in a thread."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._parts: list[Future[object]] = []

    def begin(self, part: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Begin a part and return what will hold its result."""
        future = self._pool.submit(part, *arguments, **named)
        self._parts.append(future)  # type: ignore[arg-type]  # read for its exception only
        return future

    def finish(self) -> None:
        """Wait until every part has ended, or one has failed, and raise what that one raised."""
        ended, _ = wait(self._parts, return_when=FIRST_EXCEPTION)
        for part in ended:
            part.result()


@contextmanager
def together() -> Iterator[Together]:
    """Let the body begin parts; all have ended when it is left.

    A part that fails, or an exception of the body, ends the programs that the others run, so that nobody
    waits for work that has become useless; then that exception goes on.
    """
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        parts = Together(pool)
        try:
            yield parts
            parts.finish()
        except BaseException:
            with commands.stopped():
                pool.shutdown(cancel_futures=True)
            raise
