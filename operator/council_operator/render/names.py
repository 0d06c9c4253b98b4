"""Names that tell what an object is and are equal exactly when the declared content is equal."""

import hashlib
import json
from collections.abc import Mapping

BUS_SECRET = "council-bus"  # noqa: S105 - the name of a Secret, not its content
BUS_PASSWORD_KEY = "password"  # noqa: S105 - as above
BUS_CREDENTIALS_KEY = "creds"
BUS_CA_KEY = "ca.crt"
MODELS_SECRET = "council-models"  # noqa: S105 - as above
MODELS_API_KEY = "api-key"
OWN_SECRETS = frozenset({BUS_SECRET, MODELS_SECRET})

MODEL_PORT = 8000

DIGEST_LENGTH = 10


def digest(content: Mapping[str, object]) -> str:
    """Return the SHA-256 digest, in hex, of JSON content, whatever the order of its keys."""
    canonical = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def server_name(content: Mapping[str, object]) -> str:
    """Return the name of the Deployment and Service of the model server with this declaration: 16 characters."""
    return f"model-{digest(content)[:DIGEST_LENGTH]}"


def runner_name(content: Mapping[str, object]) -> str:
    """Return the name of the RayJob of the runner with this declaration: 17 characters, KubeRay allows 47."""
    return f"runner-{digest(content)[:DIGEST_LENGTH]}"


def own_runner_name(deliberation_uid: str, resumed: int) -> str:
    """Return under which name the runners of one Deliberation take its task: 12 characters.

    A run that goes on after a suspension has another one, so that neither takes what is left of the other.
    """
    return f"d-{digest({'deliberation': deliberation_uid, 'resumed': resumed})[:DIGEST_LENGTH]}"


def attempt_name(own_runner: str, number: int) -> str:
    """Return the name of the RayJob of a Deliberation's own runner, 1 being its first."""
    return f"{own_runner}-a{number}"


def find_attempt(own_runner: str, ray_job: str) -> int | None:
    """Return which of the runner's RayJobs has that name; None when it is not one of them."""
    runner, _, number = ray_job.rpartition("-a")
    return int(number) if runner == own_runner and number.isdecimal() else None


def replicas_name(name: str) -> str:
    """Return the name of the headless Service of a server with several replicas, which has an address for each."""
    return f"{name}-each"


def server_url(name: str, namespace: str) -> str:
    """Return the base URL of a model server that the operator runs, as seen from any pod of the cluster."""
    return f"http://{name}.{namespace}.svc:{MODEL_PORT}/v1"
