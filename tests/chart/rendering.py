"""Renders the chart with the real Helm."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "charts" / "council-operator"
NAMESPACE = "council-system"
HELM = Path(sys.executable).with_name("helm")

Objects = dict[tuple[str, str], dict[str, Any]]


class RenderError(Exception):
    """Helm refused the values; the message is what a user reads."""


def render(*settings: str, release: str = "council-operator") -> Objects:
    """Return what the chart installs, by kind and name. A setting is `key=value`, as in `--set`.

    Raises:
        RenderError: Helm refuses the values.
    """
    sets = [word for setting in settings for word in ("--set", setting)]
    command = [str(HELM), "template", release, str(CHART), "--namespace", NAMESPACE, *sets]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if run.returncode != 0:
        raise RenderError(run.stderr)
    bodies = [body for body in yaml.safe_load_all(run.stdout) if body]
    identities = {(body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"]) for body in bodies}
    assert len(identities) == len(bodies), "two objects of one kind and name"
    return {(body["kind"], body["metadata"]["name"]): body for body in bodies}


def pod_specs(objects: Objects) -> list[dict[str, Any]]:
    """Return the pod specs of all workloads."""
    return [
        body["spec"]["template"]["spec"] for (kind, _), body in objects.items() if kind in {"Deployment", "StatefulSet"}
    ]
