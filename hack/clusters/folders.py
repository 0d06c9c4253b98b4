"""Where things are kept: what can be made again in the cache, what belongs to a cluster in the state folder."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clusters.errors import Refusal

NAME = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")
DATA = Path(__file__).parent


@dataclass(frozen=True)
class Folders:
    """The two roots of everything that `hack/cluster` writes.

    Attributes:
        cache: programs, images and models; safe to delete while no cluster is up.
        state: one folder for each cluster.
    """

    cache: Path
    state: Path

    @property
    def clusters(self) -> Path:
        """The folder of all clusters."""
        return self.state / "clusters"

    @property
    def models(self) -> Path:
        """Weights of models, shared with every cluster as host paths."""
        return self.cache / "models"

    def cluster(self, name: str) -> Path:
        """Return the folder of one cluster.

        Raises:
            Refusal: the name is no lower-case DNS label of at most 20 characters that begins with a letter.
        """
        if not NAME.fullmatch(name):
            raise Refusal(
                f"'{name}' can't be the name of a cluster.",
                "Use at most 20 characters of a to z, 0 to 9 and '-', beginning with a letter: --name second",
            )
        return self.clusters / name


def from_environment(environment: Mapping[str, str] = os.environ) -> Folders:
    """Return the folders that the XDG base directory specification gives for this user."""
    home = Path(environment.get("HOME") or Path.home())
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    state = Path(environment.get("XDG_STATE_HOME") or home / ".local" / "state")
    return Folders(cache / "council-operator", state / "council-operator")
