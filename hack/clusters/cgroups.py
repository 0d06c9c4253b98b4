"""The cgroups above those of the pods: one for each node, in every hierarchy that the machine has."""

import time
from pathlib import Path

from clusters.errors import StepFailed

ROOT = Path("/sys/fs/cgroup")


def make(name: str, root: Path = ROOT) -> None:
    """Make a cgroup, given as `/cluster/node`, in every hierarchy, ready to hold cgroups of pods."""
    for hierarchy in _hierarchies(root):
        group = hierarchy
        for part in name.strip("/").split("/"):
            _delegate(group)
            parent, group = group, group / part
            group.mkdir(exist_ok=True)
            # A version 1 cpuset lets no process in before it has processors and memory of its own.
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if hierarchy.name == "cpuset":
                    (group / setting).write_text((parent / setting).read_text())
        _delegate(group)


def remove(name: str, root: Path = ROOT, seconds: float = 10) -> None:
    """Remove a cgroup and all below it; the kernel takes a moment to let go of processes that have ended.

    Raises:
        StepFailed: one still holds processes after that time.
    """
    deadline = time.monotonic() + seconds
    while left := [group for hierarchy in _hierarchies(root) if (group := hierarchy / name.strip("/")).exists()]:
        for group in left:
            _remove_tree(group)
        if not any(group.exists() for group in left):
            return
        if time.monotonic() > deadline:
            raise StepFailed("removing the cgroups", f"{left[0]} still holds processes")
        time.sleep(0.05)


def _hierarchies(root: Path) -> list[Path]:
    if (root / "cgroup.controllers").exists():
        return [root]
    return [path for path in sorted(root.iterdir()) if path.is_dir() and not path.is_symlink()]


def _delegate(group: Path) -> None:
    """Let the children of a version 2 cgroup have every controller that it has itself."""
    controllers = group / "cgroup.controllers"
    if controllers.exists():
        for controller in controllers.read_text().split():
            (group / "cgroup.subtree_control").write_text(f"+{controller}")


def _remove_tree(group: Path) -> None:
    for child in [path for path in group.iterdir() if path.is_dir()]:
        _remove_tree(child)
    try:
        group.rmdir()
    except OSError:
        return  # busy: the caller asks again until its time is up
