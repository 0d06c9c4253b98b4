"""Processes that outlive the command that started them: remembered so that no other is ever taken for them."""

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from clusters.errors import StepFailed


@dataclass(frozen=True)
class Process:
    """A process of one boot of this machine; ids are given again, the time of the start tells them apart.

    Attributes:
        pid: its id.
        started: clock ticks from the boot to its start.
        boot: id of the boot.
    """

    pid: int
    started: int
    boot: str

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return self.boot == _boot() and _read_start(self.pid) == (self.started, True)

    def kill(self) -> None:
        """End this very process, and never another that got its id."""
        if self.alive():
            os.kill(self.pid, signal.SIGKILL)

    def child(self) -> "Process | None":
        """Return the first child of this process, if it has one."""
        if not self.alive():
            return None
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return observed(int(children[0])) if children else None


def observed(pid: int) -> Process:
    """Return the process that has this id now; a child of ours that ended at once is still there to be collected.

    Raises:
        ProcessLookupError: there is none.
    """
    found = _read_start(pid)
    if found is None:
        raise ProcessLookupError(pid)
    return Process(pid, found[0], _boot())


def spawn(arguments: Sequence[str | Path], *, record: Path, log: Path) -> Process:
    """Start a program in a session of its own, which lives on when this command ends, and write it down.

    Args:
        arguments: the program and its arguments.
        record: where it is written down.
        log: gets its output.

    Raises:
        FileNotFoundError: there is no such program.
    """
    pid = os.posix_spawnp(
        str(arguments[0]),
        [str(argument) for argument in arguments],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return remember(record, pid)


def remember(record: Path, pid: int) -> Process:
    """Write down the process that has this id now."""
    process = observed(pid)
    record.write_text(json.dumps(asdict(process)))
    return process


def recall(record: Path) -> Process | None:
    """Return the process that was written down; None when nothing was, or the writing was cut short."""
    try:
        return Process(**json.loads(record.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def end_all(processes: list[Process], *, step: str, seconds: float = 20) -> None:
    """Kill processes and wait until they are gone.

    Raises:
        StepFailed: one is still there after that time.
    """
    for process in processes:
        process.kill()
    deadline = time.monotonic() + seconds
    for process in processes:
        while process.alive():
            _reap(process.pid)
            if time.monotonic() > deadline:
                raise StepFailed(step, f"process {process.pid} does not end")
            time.sleep(0.01)


def _reap(pid: int) -> None:
    """Collect a child of ours that has ended; others are not ours to collect."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _read_start(pid: int) -> tuple[int, bool] | None:
    """Return when a process started, field 22 of /proc/PID/stat, and whether it runs; None when there is none.

    One that has ended and only waits to be collected does not run. The name in field 2 may hold blanks and brackets,
    see proc(5).
    """
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(after_name[19]), after_name[0] != "Z"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
