"""Images imported once into a containerd root of its own, which every new node gets as hard links."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from clusters import commands
from clusters.archives import Archive
from clusters.folders import DATA
from clusters.locks import locked

STORE = "image-store"
NAMESPACES = [
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "--net",
    "--pid",
    "--fork",
    "--kill-child=KILL",
    "--mount-proc",
]


class ImageStore:
    """The store in the cache.

    Args:
        cache: the root of everything that can be made again.
    """

    def __init__(self, cache: Path) -> None:
        self.folder = cache / STORE
        self.root = self.folder / "containerd"
        self.index = self.folder / "index.json"

    def missing(self, archives: Sequence[Archive]) -> list[Archive]:
        """Return those of the archives whose names the store does not have with that very content."""
        known = self._read()
        return [archive for archive in archives if any(known.get(name) != archive.digest for name in archive.names)]

    def add(self, archives: Sequence[Archive]) -> None:
        """Import what is missing; interrupted, it leaves a store that the next call completes or begins anew.

        Raises:
            StepFailed: containerd could not import one.
        """
        with locked(self.folder):
            wanted = self.missing(archives)
            if not wanted:
                return
            known = self._read()
            if not known:
                shutil.rmtree(self.root, ignore_errors=True)
            self.root.mkdir(parents=True, exist_ok=True)
            paths = [archive.path.resolve() for archive in wanted]
            script = DATA / "scripts" / "import-images.sh"
            commands.run(
                [*NAMESPACES, "bash", script, self.root, *paths], step="importing images into the store", seconds=900
            )
            known |= {name: archive.digest for archive in wanted for name in archive.names}
            unfinished = self.index.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(known, indent=2, sort_keys=True))
            unfinished.rename(self.index)

    def give(self, target: Path) -> None:
        """Give a node its own root: hard links to files that nobody changes, and copies of the databases.

        Where the node's folder lies on another file system everything is copied.
        """
        with locked(self.folder, shared=True):
            same_disk = self.root.stat().st_dev == target.parent.stat().st_dev
            how = "-al" if same_disk else "-a"
            commands.run(["cp", how, "--no-target-directory", self.root, target], step=f"giving {target} its images")
            if same_disk:
                for database in self.root.rglob("*.db"):
                    own = target / database.relative_to(self.root)
                    own.unlink()
                    shutil.copy2(database, own)

    def _read(self) -> dict[str, str]:
        try:
            return dict(json.loads(self.index.read_text()))
        except FileNotFoundError:
            return {}
