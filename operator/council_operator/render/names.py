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


def replicas_name(name: str) -> str:
    """Return the name of the headless Service of a server with several replicas, which has an address for each."""
    return f"{name}-each"


def server_url(name: str, namespace: str) -> str:
    """Return the base URL of a model server that the operator runs, as seen from any pod of the cluster."""
    return f"http://{name}.{namespace}.svc:{MODEL_PORT}/v1"
