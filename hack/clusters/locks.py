"""Locks between commands, held on folders: nothing is left behind, and the end of a process frees them."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path, *, shared: bool = False, busy: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock on a folder, which is made when missing, while the body runs.

    Args:
        folder: what is locked.
        shared: let others that ask for a shared lock in at the same time.
        busy: called once when another has the lock, before waiting for it; may raise instead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if busy is not None:
                busy()
            fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
