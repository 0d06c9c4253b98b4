import os
import signal
import subprocess
import sys

import pytest

from deliberation.local import leash

ASK_THE_KERNEL = """
import ctypes
number = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(number))  # PR_GET_PDEATHSIG
print(number.value)
"""


def run_on_a_leash(parent: int, *command: str) -> subprocess.CompletedProcess[str]:
    held = (sys.executable, "-I", "-S", leash.__file__, str(parent), *command)
    return subprocess.run(held, capture_output=True, text=True, timeout=60, check=False)


def test_it_becomes_the_program_with_its_arguments() -> None:
    done = run_on_a_leash(os.getpid(), "/bin/sh", "-c", 'echo "$0 $1"; exit 7', "one", "t w o")
    assert (done.stdout, done.returncode) == ("one t w o\n", 7)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")
class TestLinux:
    def test_the_program_is_killed_with_its_parent(self) -> None:
        done = run_on_a_leash(os.getpid(), sys.executable, "-c", ASK_THE_KERNEL)
        assert done.stdout == f"{signal.SIGKILL.value}\n"

    def test_whose_parent_is_gone_already_runs_nothing(self) -> None:
        done = run_on_a_leash(os.getppid(), "/bin/sh", "-c", "echo alive")
        assert (done.stdout, done.returncode) == ("", 1)
