"""What clusters could leave behind on this machine, as sets of lines that can be compared."""

import re
import subprocess
from pathlib import Path

SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
)
FOLDERS = ("/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers", "/run/containerd", "/etc/cni")


def host_state(marker: str, indexes: set[int]) -> dict[str, set[str]]:
    """Return the host's links, routes, rules, mounts, cgroups, settings and processes that a cluster could have made.

    Args:
        marker: a path that every process and mount of our clusters names.
        indexes: of our clusters; what belongs to clusters with other indexes is left out, as they may come and go.
    """
    mine = {f"council{index}" for index in indexes}
    others = re.compile(r"\bcouncil\d+\b")

    def own(lines: list[str]) -> set[str]:
        return {line for line in lines if not (found := others.findall(line)) or mine & set(found)}

    groups = [str(path) for path in Path("/sys/fs/cgroup").glob("*/council*")] + [
        str(path) for path in Path("/sys/fs/cgroup").glob("council*")
    ]
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if marker in line or "kubelet" in line]
    return {
        "links": own(_lines("ip", "-brief", "link")),
        "routes": {
            line
            for line in own(_lines("ip", "-4", "route", "show", "table", "all"))
            if not _local_of_others(line, indexes)
        },
        "rules": {
            line
            for tool in ("iptables-save", "ip6tables-save")
            for line in _lines(tool)
            if "KUBE" in line or "CNI" in line
        },
        "network namespaces": set(_lines("ip", "netns", "list")),
        "mounts": set(mounts),
        "cgroups": own(groups),
        "settings": {f"{name}={Path('/proc/sys', name).read_text().strip()}" for name in SYSCTLS},
        "processes": processes(marker),
    }


def folders() -> set[str]:
    """Return which of the folders that nodes mount over the host has."""
    return {folder for folder in FOLDERS if Path(folder).exists()}


def processes(marker: str) -> set[str]:
    """Return the processes whose command lines name the marker."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marker in line:
            found.add(f"{path.parent.name} {line}")
    return found


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _local_of_others(line: str, indexes: set[int]) -> bool:
    found = re.search(r"\b10\.213\.(\d+)\.", line)
    return found is not None and int(found[1]) not in indexes
