"""What is written down about a cluster before anything of it is made, so that it can always be taken down."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from clusters.addresses import AddressPlan
from clusters.errors import Refusal

RECORD = "cluster.json"


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up, coming up, or left half-way.

    Attributes:
        folder: everything that belongs to it alone.
        provider: what runs it: `native`, `kind` or `control-plane`.
        nodes: how many nodes it has; none where only the control plane runs.
        kuberay: whether the KubeRay operator is part of it.
        kubernetes: the version of Kubernetes.
        index: which part of the address ranges it has; only the native provider counts.
    """

    folder: Path
    provider: str
    nodes: int
    kuberay: bool
    kubernetes: str
    index: int = 0

    @property
    def name(self) -> str:
        """The name that the user gave it."""
        return self.folder.name

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig file of its administrator."""
        return self.folder / "kubeconfig"

    @property
    def plan(self) -> AddressPlan:
        """The addresses of a native cluster."""
        return AddressPlan(self.index)

    def save(self) -> None:
        """Make the folder with the record in it, both at once."""
        unfinished = self.folder.with_name(f".{self.folder.name}")
        unfinished.mkdir(parents=True, exist_ok=True)
        content = {key: value for key, value in asdict(self).items() if key != "folder"}
        (unfinished / RECORD).write_text(json.dumps(content, indent=2))
        unfinished.rename(self.folder)


def load(folder: Path) -> Cluster:
    """Return what is written down about the cluster in this folder.

    Raises:
        Refusal: there is no such cluster, or the record can't be read.
    """
    try:
        return Cluster(folder, **json.loads((folder / RECORD).read_text()))
    except FileNotFoundError as error:
        there = ", ".join(cluster.name for cluster in load_all(folder.parent)) or "none"
        raise Refusal(
            f"There is no cluster '{folder.name}'.",
            f"Clusters: {there}. Start one: hack/cluster up --name {folder.name}",
        ) from error
    except (ValueError, TypeError) as error:
        raise Refusal(
            f"{folder / RECORD} is damaged: {error}.", "Restore it, or end its processes by hand and delete the folder."
        ) from error


def load_all(clusters: Path) -> list[Cluster]:
    """Return every cluster in this folder, by name."""
    return [load(path.parent) for path in sorted(clusters.glob(f"[a-z]*/{RECORD}"))]
