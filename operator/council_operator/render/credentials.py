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
    bus = "/".join(_bus_login(namespace, settings).values())
    return _keyed_digest(f"runner/{derive_api_key(namespace, settings)}/{bus}", settings)


def render_bus_secret(council: Body, settings: RenderSettings) -> Body:
    """Return the Secret with which the runners of a namespace log in at the bus."""
    return _secret(names.BUS_SECRET, _bus_login(council["metadata"]["namespace"], settings), council)


def render_models_secret(council: Body, settings: RenderSettings) -> Body:
    """Return the Secret with the API key that model servers ask for and runners present."""
    api_key = derive_api_key(council["metadata"]["namespace"], settings)
    return _secret(names.MODELS_SECRET, {names.MODELS_API_KEY: api_key}, council)


def _bus_login(namespace: str, settings: RenderSettings) -> dict[str, str]:
    """Return what a runner logs in with: credentials of its namespace, or the password that all of them share."""
    trusted = {names.BUS_CA_KEY: settings.bus_ca} if settings.bus_ca else {}
    if settings.bus_authority is None:
        return {names.BUS_PASSWORD_KEY: settings.bus_password, **trusted}
    credentials = settings.bus_authority.runner(namespace, settings.bus_period)
    return {names.BUS_CREDENTIALS_KEY: credentials.to_file(), **trusted}


def _secret(name: str, values: dict[str, str], council: Body) -> Body:
    body = labels.child("v1", "Secret", name, council, labels.child_labels(_APPLICATION, _COMPONENT, name))
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {**body, "type": "Opaque", "data": data}


def _keyed_digest(text: str, settings: RenderSettings) -> str:
    digest = hmac.new(settings.derivation_key, f"digest/{text}".encode(), hashlib.sha256).hexdigest()
    return digest[: names.DIGEST_LENGTH]
