"""The same manifests without a cluster: the operator's own decisions and summary around the runner's own desk.

A composition root beside the operator's: it alone of this package may import `council_operator`, and of that only what
is pure. Nothing here decides, ranks or words anything; it stands in for the API server, the model servers and the pods.
"""

from deliberation.local.manifests import read_manifests
from deliberation.local.options import Options
from deliberation.local.running import run

__all__ = ["Options", "read_manifests", "run"]
