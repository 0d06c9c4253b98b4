"""What this machine must be and have; what a package manager can bring is brought."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clusters import commands
from clusters.errors import Refusal
from clusters.programs import available_memory


def require_linux_root() -> None:
    """Make sure that this is Linux and that we may do everything on it.

    Raises:
        Refusal: it is not, or we may not.
    """
    if sys.platform != "linux":
        raise Refusal("A native cluster needs Linux.", "Start Docker or Podman; the cluster then runs in kind.")
    if os.geteuid() != 0:
        raise Refusal(
            "A native cluster needs root: its nodes are namespaces with mounts and a network of their own.",
            "Become root, or start Docker or Podman. 'hack/cluster up --control-plane-only' needs neither.",
        )


def require_programs(programs: Mapping[str, str], files: Mapping[str, Sequence[Path]]) -> None:
    """Make sure that programs and files are there, installing the Debian packages that have them.

    Args:
        programs: the package of each program.
        files: for each package, folders of which one at least must exist.

    Raises:
        Refusal: something is missing and there is no apt-get.
        StepFailed: apt-get failed.
    """
    packages = {package for program, package in programs.items() if shutil.which(program) is None}
    packages |= {package for package, folders in files.items() if not any(folder.exists() for folder in folders)}
    if not packages:
        return
    wanted = sorted(packages)
    if shutil.which("apt-get") is None:
        raise Refusal(
            f"This machine lacks what these Debian packages have: {', '.join(wanted)}.",
            "Install them with its package manager.",
        )
    print(f"Installing Debian packages: {', '.join(wanted)}", file=sys.stderr)
    unattended = {"DEBIAN_FRONTEND": "noninteractive"}
    step = f"installing {', '.join(wanted)}"
    commands.run(["apt-get", "update", "--quiet"], step=step, environment=unattended, seconds=300)
    arguments = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *wanted]
    commands.run(arguments, step=step, environment=unattended, seconds=600)


def require_memory(least: int) -> None:
    """Make sure that this many bytes of memory are free.

    Raises:
        Refusal: they are not.
    """
    available = available_memory()
    if available < least:
        raise Refusal(
            f"A cluster needs {least / 2**30:.1f} GiB of free memory to start; {available / 2**30:.1f} GiB are free.",
            "End some programs, or take another cluster down: hack/cluster status",
        )
