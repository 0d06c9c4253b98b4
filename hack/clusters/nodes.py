"""Nodes of a native cluster: each a process 1 with a network, mounts and processes of its own."""

import os
from pathlib import Path

from clusters import cgroups, commands, components, node_files, processes, storage
from clusters.archives import Archive
from clusters.components import ControlPlaneFiles
from clusters.errors import Refusal
from clusters.folders import DATA
from clusters.node_files import NodePlan
from clusters.processes import Process

# What a node has for itself where the machine has it for all.
OWN_FOLDERS = ("var/lib/kubelet", "var/lib/cni", "var/log/pods", "var/log/containers")
NETWORK_PROGRAMS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
INIT = DATA / "scripts" / "node-init.sh"


def network_programs() -> Path:
    """Return the folder of the CNI plugins, where Debian or the plugins' own archive puts it.

    Raises:
        Refusal: there is none.
    """
    for folder in NETWORK_PROGRAMS:
        if (folder / "bridge").exists():
            return folder
    raise Refusal("The CNI plugins are not installed.", "Install them: apt-get install containernetworking-plugins")


def prepare(node: NodePlan, files: ControlPlaneFiles) -> None:
    """Write every file that the node begins with."""
    for folder in ("log", "components", "network", "volume-plugins", "etcd", *(f"own/{own}" for own in OWN_FOLDERS)):
        (node.folder / folder).mkdir(parents=True, exist_ok=True)
    for volume in storage.volume_folders(node):
        volume.mkdir(parents=True, exist_ok=True)
    sysctls = {f"proc/sys/{name}": value for name, value in node_files.KUBELET_SYSCTLS.items()}
    for name, value in sysctls.items():
        own = node.folder / "own" / name
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(f"{value}\n")
    kubeconfig = files.kubeconfig("proxy")
    contents = {
        "own.list": "".join(f"{own}\n" for own in (*OWN_FOLDERS, *sysctls)),
        "resolv.conf": "",
        "containerd.toml": node_files.containerd_config(node, network_programs=network_programs()),
        "kubelet.yaml": node_files.kubelet_config(node, credentials=files.credentials),
        "kube-proxy.yaml": node_files.proxy_config(node, kubeconfig=kubeconfig),
        "network/10-council.conflist": node_files.network_config(node),
    }
    for name, content in contents.items():
        (node.folder / name).write_text(content)
    os.mkfifo(node.folder / "start")
    for component, arguments in command_lines(node, files).items():
        (node.folder / "components" / component).write_text("".join(f"{argument}\n" for argument in arguments))


def command_lines(node: NodePlan, files: ControlPlaneFiles) -> dict[str, list[str]]:
    """Return the command line of every component of a node (pure)."""
    lines = {
        "containerd": ["containerd", f"--config={node.folder}/containerd.toml"],
        "kubelet": components.kubelet(files, config=node.folder / "kubelet.yaml", node=node.name, address=node.address),
        "kube-proxy": components.kube_proxy(files, config=node.folder / "kube-proxy.yaml"),
    }
    if node.number == 1:
        lines |= {
            "etcd": components.etcd(files),
            "kube-apiserver": components.api_server(
                files, address=node.address, port=6443, services=node.plan.services
            ),
            "kube-controller-manager": components.controller_manager(files),
            "kube-scheduler": components.scheduler(files),
        }
    return lines


def start(node: NodePlan) -> Process:
    """Start the node's process 1 in namespaces of its own; no component runs yet.

    Raises:
        StepFailed: the namespaces can't be made.
    """
    cgroups.make(node.cgroup)
    log = node.folder / "log" / "init.log"
    unshare = [
        "unshare",
        "--net",
        "--mount",
        "--propagation",
        "slave",
        "--pid",
        "--fork",
        "--kill-child=KILL",
        "--mount-proc",
    ]
    process = processes.spawn([*unshare, "bash", INIT, node.folder], record=node.init_record, log=log)
    step = f"starting node {node.name}"
    commands.wait_until(lambda: process.child() is not None and own_network(process), step=step, seconds=60, log=log)
    return process


def own_network(process: Process) -> bool:
    """Tell whether a process has left the network namespace of this one."""
    return Path(f"/proc/{process.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


def start_component(node: NodePlan, component: str) -> None:
    """Tell the node's process 1 to start a component and to keep it alive.

    Raises:
        StepFailed: process 1 does not listen.
    """
    commands.wait_until(
        lambda: _tell(node.folder / "start", component),
        step=f"starting {component} on {node.name}",
        seconds=60,
        log=node.folder / "log" / "init.log",
    )


def _tell(pipe: Path, line: str) -> bool:
    try:
        descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False  # nobody reads yet
    try:
        return os.write(descriptor, f"{line}\n".encode()) > 0
    finally:
        os.close(descriptor)


def inside(node: NodePlan) -> list[str | Path]:
    """Return the command line that runs what follows it inside the node.

    Raises:
        Refusal: the node does not run.
    """
    init = processes.recall(node.init_record)
    first = init.child() if init else None
    if first is None:
        raise Refusal(
            f"Node '{node.name}' does not run.",
            "Take the cluster down and up again: hack/cluster down, hack/cluster up",
        )
    return ["nsenter", f"--target={first.pid}", "--net", "--mount", "--pid", "--"]


def load(node: NodePlan, archive: Archive) -> bool:
    """Import an image into a running node, unless it has it already; tell whether it had to.

    Raises:
        Refusal: the node does not run.
        StepFailed: containerd refused the archive.
    """
    step = f"importing {', '.join(archive.names)} on {node.name}"
    images = [*inside(node), "ctr", "--namespace", "k8s.io", "images"]
    if _has(commands.run([*images, "list"], step=step), archive):
        return False
    with archive.path.open("rb") as content:
        commands.run([*images, "import", "-"], step=step, stdin=content, seconds=900)
    return True


def _has(listing: str, archive: Archive) -> bool:
    """Tell whether containerd's list of images has each name of an archive for the archive's very image.

    containerd's Kubernetes part keeps every image under the digest of its configuration too.
    """
    targets = {fields[0]: fields[2] for fields in map(str.split, listing.splitlines()) if len(fields) > 2}  # noqa: PLR2004
    target = targets.get(archive.digest)
    return target is not None and all(targets.get(name) == target for name in archive.names)
