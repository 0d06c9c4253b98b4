"""The two Secrets that the operator keeps in every namespace with Councils.

The operator can create and patch Secrets and never reads one: what it writes is a function of its own settings, and a
keyed digest on the objects that use them tells it which credentials it wrote last.
"""

import base64
import hashlib
import hmac

from council_operator.plan.settings import RenderSettings
from council_operator.render import labels, names
from council_operator.render.labels import Body

_APPLICATION = "council-credentials"
_COMPONENT = "credentials"


def derive_api_key(namespace: str, settings: RenderSettings) -> str:
    """Return the API key of all model servers of a namespace: HMAC-SHA256 of the namespace under the derivation key."""
    return hmac.new(settings.derivation_key, namespace.encode(), hashlib.sha256).hexdigest()


def models_digest(namespace: str, settings: RenderSettings) -> str:
    """Return a digest of the model servers' key from which nothing can be learnt without the derivation key."""
    return _keyed_digest(f"models/{derive_api_key(namespace, settings)}", settings)


def runner_digest(namespace: str, settings: RenderSettings) -> str:
    """Return a digest of all credentials that a runner mounts, as safe as `models_digest`."""
    return _keyed_digest(f"runner/{derive_api_key(namespace, settings)}/{settings.bus_password}", settings)


def render_bus_secret(council: Body, settings: RenderSettings) -> Body:
    """Return the Secret with the runners' password at the bus."""
    return _secret(names.BUS_SECRET, names.BUS_PASSWORD_KEY, settings.bus_password, council)


def render_models_secret(council: Body, settings: RenderSettings) -> Body:
    """Return the Secret with the API key that model servers ask for and runners present."""
    api_key = derive_api_key(council["metadata"]["namespace"], settings)
    return _secret(names.MODELS_SECRET, names.MODELS_API_KEY, api_key, council)


def _secret(name: str, key: str, value: str, council: Body) -> Body:
    body = labels.child("v1", "Secret", name, council, labels.child_labels(_APPLICATION, _COMPONENT, name))
    return {**body, "type": "Opaque", "data": {key: base64.b64encode(value.encode()).decode()}}


def _keyed_digest(text: str, settings: RenderSettings) -> str:
    digest = hmac.new(settings.derivation_key, f"digest/{text}".encode(), hashlib.sha256).hexdigest()
    return digest[: names.DIGEST_LENGTH]
