"""What a local run takes from its user instead of from a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from deliberation.local.faults import BadInputError


class BusChoice(StrEnum):
    """What carries tasks and ledgers."""

    AUTO = "auto"
    """nats-server where it is installed, else memory."""
    NATS = "nats"
    MEMORY = "memory"


@dataclass(frozen=True)
class Endpoint:
    """A server that stands in for a model: base URL up to the version, and the model's name there, if it differs."""

    url: str
    model_name: str | None = None


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        endpoints: by name of a model in the manifests, the server to ask instead.
        api_keys: by name of a model, the key to ask its server with; never shown.
        ca_bundles: by name of a model, the certificates in PEM of those whom its server's must come from.
        on_ray: have each seat be an actor of a Ray on this machine, as in a cluster.
    """

    bus: BusChoice = BusChoice.AUTO
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    api_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_bundles: Mapping[str, str] = field(default_factory=dict, repr=False)
    on_ray: bool = False


def read_endpoints(texts: tuple[str, ...]) -> dict[str, Endpoint]:
    """Return the endpoints that `NAME=URL[,MODEL]` texts declare.

    Raises:
        BadInputError: a text is of another form, or a name stands twice.
    """
    endpoints: dict[str, Endpoint] = {}
    for text in texts:
        name, _, place = text.partition("=")
        url, _, model_name = place.partition(",")
        if not name or not _is_base_url(url):
            raise BadInputError(
                [f"--endpoint {name}=...: give NAME=URL[,MODEL] with a base URL such as http://127.0.0.1:8000/v1"]
            )
        if name in endpoints:
            raise BadInputError([f"--endpoint {name}=...: given more than once"])
        endpoints[name] = Endpoint(url, model_name or None)
    return endpoints


def _is_base_url(url: str) -> bool:
    parts = urlsplit(url)
    is_bare = not parts.query and not parts.fragment and "@" not in parts.netloc
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and is_bare


def read_api_keys(texts: tuple[str, ...], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the keys that `NAME=env:VARIABLE` and `NAME=file:PATH` texts tell where to find.

    A key itself is never an argument: every user of the machine can read those.

    Raises:
        BadInputError: a text is of another form, or there is no key at its place.
    """
    keys: dict[str, str] = {}
    for text in texts:
        name, _, place = text.partition("=")
        source, _, where = place.partition(":")
        if not name or source not in {"env", "file"} or not where:
            form = "NAME=env:VARIABLE or NAME=file:PATH, never the key itself"
            raise BadInputError([f"--api-key {name}=...: give {form}"])
        key = environment.get(where, "") if source == "env" else _read_file(where)
        if not key.strip():
            raise BadInputError([f"--api-key {name}={source}:{where}: there is no key"])
        keys[name] = key.strip()
    return keys


def read_ca_bundles(texts: tuple[str, ...]) -> dict[str, str]:
    """Return the certificates that `NAME=PATH` texts tell where to find.

    Raises:
        BadInputError: a text is of another form, or there is no certificate at its place.
    """
    bundles: dict[str, str] = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path:
            raise BadInputError([f"--ca-bundle {name}=...: give NAME=PATH"])
        bundle = _read_file(path)
        if "-----BEGIN CERTIFICATE-----" not in bundle:
            raise BadInputError([f"--ca-bundle {name}={path}: there is no certificate in PEM"])
        bundles[name] = bundle
    return bundles


def _read_file(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
