"""API server, etcd and controller manager alone, on loopback: for tests of what needs no node. No root is needed."""

import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from clusters import commands, components, folders, processes, programs
from clusters.archives import Archive
from clusters.components import ControlPlaneFiles
from clusters.credentials import Credentials
from clusters.errors import Refusal, StepFailed
from clusters.folders import Folders
from clusters.kubernetes_api import Kubectl, Requests
from clusters.progress import Progress
from clusters.record import Cluster

LOOPBACK = IPv4Address("127.0.0.1")
SERVICES = IPv4Network("10.96.0.0/24")
TRIES = 3
# In the order of their start.
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager")


@dataclass(frozen=True)
class ControlPlane:
    """A control plane that runs.

    Attributes:
        kubeconfig: file of its administrator; it needs no other file.
        url: of the API server.
    """

    kubeconfig: Path
    url: str


class ControlPlaneOnly:
    """The provider `control-plane`.

    Args:
        folders: cache and state of this user.
    """

    def __init__(self, folders: Folders) -> None:
        self.folders = folders

    def check(self) -> None:
        """Nothing but Linux is needed, and Go where the programs are not built yet."""

    def build(self, progress: Progress, *, kuberay: bool) -> None:  # noqa: ARG002 -- nothing runs on a control plane alone
        """Build Kubernetes from its Go module."""
        programs.provide(programs.KUBERNETES, self.folders.cache, progress)

    def start(self, cluster: Cluster, progress: Progress) -> None:
        """Start the three components as processes that live on."""
        program = programs.provide(programs.KUBERNETES, self.folders.cache, progress)
        with progress.step("etcd, API server and controller manager"):
            start(cluster.folder, program, name=cluster.name)

    def remove(self, cluster: Cluster) -> None:
        """End the three processes."""
        stop(cluster.folder)

    def problems(self, cluster: Cluster) -> list[str]:
        """Ask for every process and then the API server."""
        down = [
            name
            for name in COMPONENTS
            if (it := processes.recall(_record(cluster.folder, name))) is None or not it.alive()
        ]
        return [f"{name} does not run" for name in down] or Kubectl(cluster.kubeconfig).problems(0)

    def load(self, cluster: Cluster, archives: Sequence[Archive], progress: Progress) -> None:  # noqa: ARG002
        """Refuse: there is no node."""
        raise _no_nodes(cluster)

    def inside(self, cluster: Cluster, node: str) -> list[str | Path]:  # noqa: ARG002
        """Refuse: there is no node."""
        raise _no_nodes(cluster)


@contextmanager
def running(progress: Progress | None = None) -> Iterator[ControlPlane]:
    """Run a control plane of one's own for the body, for a test's fixture.

    It is torn down however the body ends, and the kernel ends it when this process is killed. Enter it in
    the main thread: to the kernel its parent is the thread that started it.

    Raises:
        Refusal: the programs are not built yet and can't be on this machine.
        StepFailed: a component did not start; the message shows the end of its log.
    """
    cache = folders.from_environment().cache
    program = programs.provide(programs.KUBERNETES, cache, progress or Progress())
    with tempfile.TemporaryDirectory(prefix="council-control-plane-") as temporary:
        folder = Path(temporary)
        try:
            yield start(folder, program, name="test", end_with_us=True)
        finally:
            stop(folder)


def start(folder: Path, program: Path, *, name: str, end_with_us: bool = False) -> ControlPlane:
    """Start a control plane on a free port and return when it is ready.

    Args:
        folder: gets its files.
        program: folder of the programs of Kubernetes.
        name: of the cluster in its kubeconfig file.
        end_with_us: have the kernel end it when the thread that calls ends.

    Raises:
        StepFailed: a component did not start; the message shows the end of its log.
    """
    for left in range(TRIES - 1, -1, -1):
        port = _free_port()
        try:
            return _start_on(port, folder, program, name=name, end_with_us=end_with_us)
        except StepFailed:
            stop(folder)
            # Another may have taken the port since it was seen free; only then does another port help.
            taken = "address already in use" in _log(folder, "kube-apiserver").read_text(errors="replace")
            if not taken or left == 0:
                raise
    raise AssertionError("unreachable: the last try returns or raises")


def stop(folder: Path) -> None:
    """End the processes of the control plane in this folder, as far as it has come; safe to repeat.

    Raises:
        StepFailed: one does not end.
    """
    found = [processes.recall(_record(folder, name)) for name in COMPONENTS]
    processes.end_all([process for process in found if process is not None], step="ending the control plane")


def _start_on(port: int, folder: Path, program: Path, *, name: str, end_with_us: bool) -> ControlPlane:
    url = f"https://{LOOPBACK}:{port}"
    files = ControlPlaneFiles(program, folder / "credentials", folder)
    Credentials(files.credentials, name, url).write_control_plane([LOOPBACK, SERVICES[1]])
    kubeconfig = folder / "kubeconfig"
    kubeconfig.unlink(missing_ok=True)
    kubeconfig.symlink_to("credentials/admin.kubeconfig")

    def spawn(component: str, arguments: list[str]) -> processes.Process:
        prefix = ["setpriv", "--pdeathsig", "KILL"] if end_with_us else []
        in_folder = ["env", f"--chdir={folder}"]
        return processes.spawn(
            [*prefix, *in_folder, *arguments], record=_record(folder, component), log=_log(folder, component)
        )

    spawn("etcd", components.etcd(files))
    server = spawn("kube-apiserver", components.api_server(files, address=LOOPBACK, port=port, services=SERVICES))
    requests = Requests(url, files.credentials)
    step, log = "starting the API server", _log(folder, "kube-apiserver")
    commands.wait_until(lambda: requests.ready() or not server.alive(), step=step, seconds=300, log=log)
    if not server.alive():
        raise StepFailed(step, "it ended", log)
    spawn("kube-controller-manager", components.controller_manager(files))
    return ControlPlane(kubeconfig, url)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((str(LOOPBACK), 0))
        return int(probe.getsockname()[1])


def _record(folder: Path, component: str) -> Path:
    return folder / f"{component}.json"


def _log(folder: Path, component: str) -> Path:
    return folder / f"{component}.log"


def _no_nodes(cluster: Cluster) -> Refusal:
    return Refusal(
        f"Cluster '{cluster.name}' is a control plane only: it has no nodes.",
        f"Start another with nodes: hack/cluster up --name {cluster.name}-nodes",
    )
