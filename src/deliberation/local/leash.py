"""Run a program that ends with whoever started it, however that ends: `python leash.py PARENT PROGRAM [ARGUMENT ...]`.

It becomes the program, after it has asked the kernel for SIGKILL at the death of its parent (Linux: prctl(2),
PR_SET_PDEATHSIG, which survives an exec). A process of its own does this, because nothing may run between fork and exec
of a process with threads. It imports nothing of ours, so it starts at once. Elsewhere than on Linux it only becomes the
program.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

PR_SET_PDEATHSIG = 1

ORPHANED = 1


def main(arguments: Sequence[str]) -> NoReturn:
    """Become the program; end at once when the parent, a process id, is gone already."""
    parent, program, *rest = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):
            sys.exit(ORPHANED)
    os.execv(program, [program, *rest])  # noqa: S606 - no shell is what is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
