"""Clusters come and go: what every provider's clusters have in common."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from clusters import archives, claims, commands, kind, network, programs, record
from clusters.addresses import MOST_NODES
from clusters.control_plane import ControlPlaneOnly
from clusters.errors import Refusal
from clusters.folders import Folders
from clusters.kind import Kind
from clusters.locks import locked
from clusters.native import Native
from clusters.progress import Progress
from clusters.provider import Provider
from clusters.record import Cluster


@dataclass(frozen=True)
class Wish:
    """What `up` is asked for.

    Attributes:
        name: of the cluster.
        provider: `native`, `kind`, `control-plane`, or None to choose by what this machine has.
        nodes: how many.
        kuberay: whether the KubeRay operator is wanted.
        keep: leave a cluster that failed to start as it is, to be looked at.
    """

    name: str = "default"
    provider: str | None = None
    nodes: int = 1
    kuberay: bool = True
    keep: bool = False


class Clusters:
    """All clusters of this user.

    Args:
        folders: cache and state of this user.
        progress: is told what happens.
    """

    def __init__(self, folders: Folders, progress: Progress) -> None:
        self.folders, self.progress = folders, progress

    def provider(self, name: str | None) -> Provider:
        """Return the provider of this name, or the one that suits this machine."""
        chosen = name or ("kind" if kind.engine() else "native")
        makers: dict[str, type[Native | Kind | ControlPlaneOnly]] = {
            "native": Native,
            "kind": Kind,
            "control-plane": ControlPlaneOnly,
        }
        return makers[chosen](self.folders)

    def up(self, wish: Wish) -> Cluster:
        """Start a cluster and return when everything in it is ready; one that is up and healthy is left as it is.

        Raises:
            Refusal: this machine can't, or a cluster of that name is there but not healthy or not alike.
            StepFailed: a step failed; what was made is removed again unless `keep` is set.
        """
        folder = self.folders.cluster(wish.name)
        if not 1 <= wish.nodes <= MOST_NODES:
            raise Refusal(f"A cluster can't have {wish.nodes} nodes.", f"Use 1 to {MOST_NODES}: --nodes 2")
        if folder.exists():
            return self._already(record.load(folder), wish)
        name = wish.provider or ("kind" if kind.engine() else "native")
        provider = self.provider(name)
        provider.check()
        provider.build(self.progress, kuberay=wish.kuberay)
        with locked(self.folders.clusters):
            if folder.exists():
                raise Refusal(
                    f"Another command has just begun to start '{wish.name}'.", "Wait for it: hack/cluster status"
                )
            cluster = self._write_down(wish, name)
        with self._alone(cluster):
            try:
                provider.start(cluster, self.progress)
            except BaseException:
                self._clean_up(cluster, provider, keep=wish.keep)
                raise
        return cluster

    def down(self, name: str) -> bool:
        """Remove a cluster and all traces of it; tell whether there was one.

        Raises:
            Refusal: another command is working on it.
            StepFailed: something of it stays.
        """
        folder = self.folders.cluster(name)
        if not folder.exists():
            return False
        cluster = record.load(folder)
        with self._alone(cluster), self.progress.step(f"removing cluster '{name}'"):
            self._remove(cluster, self.provider(cluster.provider))
        return True

    def all(self) -> list[Cluster]:
        """Return every cluster that is written down."""
        return record.load_all(self.folders.clusters)

    def problems(self, cluster: Cluster) -> list[str]:
        """Return what keeps a cluster from being healthy, each as a sentence; none when it is."""
        return self.provider(cluster.provider).problems(cluster)

    def load_images(self, name: str, images: Sequence[str]) -> None:
        """Load images into every node, given as archive files or as names that docker, podman or buildah know.

        Raises:
            Refusal: there is no such cluster, file or image.
            StepFailed: one can't be imported.
        """
        cluster = record.load(self.folders.cluster(name))
        provider = self.provider(cluster.provider)
        with tempfile.TemporaryDirectory(prefix="council-images-") as exported:
            files = [
                Path(image) if image.endswith(".tar") or Path(image).is_file() else export(image, Path(exported))
                for image in images
            ]
            provider.load(cluster, [archives.read(file) for file in files], self.progress)

    def _already(self, cluster: Cluster, wish: Wish) -> Cluster:
        again = f"hack/cluster down --name {cluster.name}"
        wanted = wish.provider or cluster.provider
        nodes = 0 if wanted == "control-plane" else wish.nodes
        if (wanted, nodes) != (cluster.provider, cluster.nodes) or (wish.kuberay and not cluster.kuberay and nodes):
            raise Refusal(
                f"Cluster '{cluster.name}' is up, but not as asked for: {describe(cluster)}.",
                f"Take it down first: {again}",
            )
        problems = self.problems(cluster)
        if problems:
            raise Refusal(
                f"Cluster '{cluster.name}' is there but not healthy: {'; '.join(problems)}.",
                f"Take it down and start again: {again}",
            )
        self.progress.note(f"cluster '{cluster.name}' is up already")
        return cluster

    def _write_down(self, wish: Wish, provider: str) -> Cluster:
        folder, version = self.folders.cluster(wish.name), programs.kubernetes_version()
        if provider == "native":
            with claims.undisturbed():
                index = claims.take(folder, network.host_routes()).index
                cluster = Cluster(folder, provider, wish.nodes, kuberay=wish.kuberay, kubernetes=version, index=index)
                cluster.save()
        elif provider == "kind":
            cluster = Cluster(folder, provider, wish.nodes, kuberay=wish.kuberay, kubernetes="of kind's node image")
            cluster.save()
        else:
            cluster = Cluster(folder, provider, 0, kuberay=False, kubernetes=version)
            cluster.save()
        return cluster

    def _clean_up(self, cluster: Cluster, provider: Provider, *, keep: bool) -> None:
        if keep:
            self.progress.note(
                f"left as it is: {cluster.folder}; remove it with hack/cluster down --name {cluster.name}"
            )
            return
        # A second interruption would leave half of it behind.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        commands.forget_interrupt()
        with self.progress.step("the start did not succeed: removing what was made"):
            logs = self.folders.state / "failed" / cluster.name
            shutil.rmtree(logs, ignore_errors=True)
            for log in cluster.folder.rglob("*.log"):
                logs.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(log, logs / "-".join(log.relative_to(cluster.folder).parts))
            self._remove(cluster, provider)
        self.progress.note(f"its logs are in {logs}")

    def _remove(self, cluster: Cluster, provider: Provider) -> None:
        with locked(self.folders.clusters):
            provider.remove(cluster)
            commands.run(["rm", "-rf", "--one-file-system", cluster.folder], step=f"deleting {cluster.folder}")

    def _alone(self, cluster: Cluster) -> AbstractContextManager[None]:
        def busy() -> None:
            raise Refusal(
                f"Another command is working on cluster '{cluster.name}'.",
                "Wait for it to end, then run the same command again.",
            )

        return locked(cluster.folder, busy=busy)


def describe(cluster: Cluster) -> str:
    """Return what a cluster is in a few words (pure)."""
    if cluster.provider == "control-plane":
        return f"control plane only, Kubernetes {cluster.kubernetes}"
    nodes = "1 node" if cluster.nodes == 1 else f"{cluster.nodes} nodes"
    kuberay = "with KubeRay" if cluster.kuberay else "without KubeRay"
    return f"{cluster.provider}, {nodes}, Kubernetes {cluster.kubernetes}, {kuberay}"


def export(image: str, folder: Path) -> Path:
    """Write an image that docker, podman or buildah knows to an archive in this folder and return its path.

    Raises:
        Refusal: none of them knows it.
    """
    target = folder / f"{len(list(folder.iterdir()))}.tar"
    ways = {
        "docker": ["docker", "save", "--output", str(target), image],
        "podman": ["podman", "save", "--format", "docker-archive", "--output", str(target), image],
        "buildah": ["buildah", "push", "--quiet", image, f"docker-archive:{target}:{image}"],
    }
    for program, line in ways.items():
        if shutil.which(program) is None:
            continue
        if subprocess.run(line, capture_output=True, timeout=900, check=False).returncode == 0:
            return target
        target.unlink(missing_ok=True)
    raise Refusal(
        f"There is no image '{image}', neither as a file nor in docker, podman or buildah.",
        "Build it first, or name an archive: hack/cluster load-image FILE.tar",
    )
