"""The operator's settings: the only reader of the environment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from council_operator.plan.settings import GpuDivision, Images, RenderSettings, Resources
from deliberation.bus.login import Login, NoLogin, PasswordLogin, Tls
from deliberation.protocol.authority import LEAST_SECRET_CHARACTERS, Authority


class SettingsError(Exception):
    """The environment lacks a setting or holds an unusable one; the message names it."""


@dataclass(frozen=True)
class Settings:
    """What the chart sets.

    `watch_namespaces` empty means the whole cluster. Files are named rather than contents, so that a rotated Secret is
    read anew when the bus reconnects. `reads_nodes` tells whether the chart lets us watch nodes. `bus_login` is for a
    bus that others run; on one of our own, `render.bus_authority` makes accounts, and `bus_config_map` (namespace and
    name) is where its server is told whom to trust. `bus_replicas`: how many servers keep each stream.
    """

    bus_url: str
    bus_login: Login
    bus_tls: Tls | None
    bus_config_map: tuple[str, str] | None
    bus_replicas: int
    watch_namespaces: tuple[str, ...]
    http_port: int
    reads_nodes: bool
    render: RenderSettings


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings that the environment holds.

    Raises:
        SettingsError: a setting is missing or unusable.
    """
    bus_url = _require(environment, "COUNCIL_BUS_URL")
    authority = _authority(environment)
    return Settings(
        bus_url=bus_url,
        bus_login=_login(environment),
        bus_tls=_tls(environment),
        bus_config_map=_config_map(environment),
        bus_replicas=_number(environment, "COUNCIL_BUS_REPLICAS", 1, "a whole number of servers"),
        watch_namespaces=_names(environment, "COUNCIL_WATCH_NAMESPACES"),
        http_port=_port(environment),
        reads_nodes=environment.get("COUNCIL_READS_NODES") == "true",
        render=RenderSettings(
            images=Images(
                operator=_require(environment, "COUNCIL_IMAGE_OPERATOR"),
                runner=_require(environment, "COUNCIL_IMAGE_RUNNER"),
                vllm=_require(environment, "COUNCIL_IMAGE_VLLM"),
                vllm_cpu=_require(environment, "COUNCIL_IMAGE_VLLM_CPU"),
                pull_policy=environment.get("COUNCIL_IMAGE_PULL_POLICY") or Images.pull_policy,
                pull_secrets=_names(environment, "COUNCIL_IMAGE_PULL_SECRETS"),
                revision=environment.get("COUNCIL_IMAGE_REVISION") or "",
            ),
            bus_url=environment.get("COUNCIL_RUNNER_BUS_URL") or bus_url,
            bus_user=environment.get("COUNCIL_RUNNER_BUS_USER") or "",
            bus_password="" if authority else _read_text(environment, "COUNCIL_RUNNER_BUS_PASSWORD_FILE"),
            bus_authority=authority,
            bus_ca=_read_text(environment, "COUNCIL_BUS_CA_FILE") if environment.get("COUNCIL_BUS_CA_FILE") else "",
            bus_server_name=environment.get("COUNCIL_BUS_SERVER_NAME", ""),
            derivation_key=_read_text(environment, "COUNCIL_DERIVATION_KEY_FILE").encode(),
            runner=_resources(environment, "COUNCIL_RUNNER_RESOURCES", RenderSettings.runner),
            gpu_overhead_mib=_number(
                environment, "COUNCIL_GPU_OVERHEAD_MIB", RenderSettings.gpu_overhead_mib, "a whole number of MiB"
            ),
            gpu_division=read_gpu_division(environment),
        ),
    )


def read_gpu_division(environment: Mapping[str, str]) -> GpuDivision | None:
    """Return how GPUs are to be divided, given in JSON; None where the administrator does not ask for it.

    Raises:
        SettingsError: it is unusable.
    """
    text = environment.get("COUNCIL_GPU_SHARING")
    if not text:
        return None
    try:
        stated = json.loads(text)
        selector = tuple(sorted((str(label), str(value)) for label, value in stated["nodeSelector"].items()))
        config_map = stated["configMap"]
        return GpuDivision(selector, int(stated["slicesPerGPU"]), str(config_map["name"]), str(config_map["namespace"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = (
            "COUNCIL_GPU_SHARING must be JSON with nodeSelector, slicesPerGPU, and configMap of name and namespace"
        )
        raise SettingsError(message) from error


def _require(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set: the chart sets it, see the operator's Deployment")
    return value


def _names(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(one for one in environment.get(name, "").split(",") if one)


def _resources(environment: Mapping[str, str], name: str, default: Resources) -> Resources:
    """Return requests and limits, given as a container's `resources` in JSON.

    Raises:
        SettingsError: one of the four is missing.
    """
    text = environment.get(name)
    if not text:
        return default
    try:
        stated = json.loads(text)
        requests, limits = stated["requests"], stated["limits"]
        return Resources(str(requests["cpu"]), str(requests["memory"]), str(limits["cpu"]), str(limits["memory"]))
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{name} must be JSON with requests and limits of cpu and memory") from error


def _login(environment: Mapping[str, str]) -> Login:
    user, file = environment.get("COUNCIL_BUS_USER"), environment.get("COUNCIL_BUS_PASSWORD_FILE")
    return PasswordLogin(user, Path(file)) if user and file else NoLogin()


def _tls(environment: Mapping[str, str]) -> Tls | None:
    file, server_name = environment.get("COUNCIL_BUS_CA_FILE"), environment.get("COUNCIL_BUS_SERVER_NAME")
    return Tls(Path(file) if file else None, server_name or None) if file or server_name else None


def _authority(environment: Mapping[str, str]) -> Authority | None:
    name = "COUNCIL_BUS_AUTHORITY_KEY_FILE"
    if not environment.get(name):
        return None
    key = _read_text(environment, name).encode()
    if len(key) < LEAST_SECRET_CHARACTERS:
        raise SettingsError(f"{name}: the key has {len(key)} characters: it must have {LEAST_SECRET_CHARACTERS}")
    return Authority(key)


def _config_map(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the namespace and the name of the NATS server's ConfigMap, given with a slash between."""
    namespace, _, name = environment.get("COUNCIL_BUS_CONFIG_MAP", "").partition("/")
    return (namespace, name) if name else None


def _number(environment: Mapping[str, str], name: str, default: int, what: str) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal():
        raise SettingsError(f"{name} is {text!r}: it must be {what}")
    return int(text)


def _port(environment: Mapping[str, str]) -> int:
    text = environment.get("COUNCIL_METRICS_PORT", "8080")
    if not text.isdecimal() or not 0 <= int(text) < 1 << 16:
        raise SettingsError(f"COUNCIL_METRICS_PORT is {text!r}: it must be a port number")
    return int(text)


def _read_text(environment: Mapping[str, str], name: str) -> str:
    path = Path(_require(environment, name))
    try:
        return path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"{name}: {path} cannot be read ({error.strerror}): is the Secret mounted?") from error
