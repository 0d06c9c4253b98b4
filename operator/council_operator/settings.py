"""The operator's settings: the only reader of the environment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from council_operator.plan.settings import GpuDivision, Images, RenderSettings, Resources


class SettingsError(Exception):
    """The environment lacks a setting or holds an unusable one; the message names it."""


@dataclass(frozen=True)
class Settings:
    """What the chart sets.

    `watch_namespaces` empty means the whole cluster. Files are named rather than contents, so that a rotated Secret is
    read anew when the bus reconnects. `reads_nodes` tells whether the chart lets us watch nodes.
    """

    bus_url: str
    bus_user: str | None
    bus_password_file: Path | None
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
    password_file = environment.get("COUNCIL_BUS_PASSWORD_FILE")
    return Settings(
        bus_url=bus_url,
        bus_user=environment.get("COUNCIL_BUS_USER") or None,
        bus_password_file=Path(password_file) if password_file else None,
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
            bus_password=_read_text(environment, "COUNCIL_RUNNER_BUS_PASSWORD_FILE"),
            derivation_key=_read_text(environment, "COUNCIL_DERIVATION_KEY_FILE").encode(),
            runner=_resources(environment, "COUNCIL_RUNNER_RESOURCES", RenderSettings.runner),
            gpu_overhead_mib=_mebibytes(environment, "COUNCIL_GPU_OVERHEAD_MIB", RenderSettings.gpu_overhead_mib),
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


def _mebibytes(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal():
        raise SettingsError(f"{name} is {text!r}: it must be a whole number of MiB")
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
