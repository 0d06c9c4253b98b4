"""kubectl, for programs: one cluster, one namespace, JSON in and out, and watches that end in time."""

import json
import math
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

Body = dict[str, Any]

COMMAND_SECONDS = 180
PAUSE_SECONDS = 0.5
"""Between a watch that broke off and the next one: an API server that is away is not besieged."""

API_OF = {
    "councils": "/apis/councils.dev/v1alpha1",
    "deliberations": "/apis/councils.dev/v1alpha1",
    "deployments": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "rayjobs": "/apis/ray.io/v1",
    "rayclusters": "/apis/ray.io/v1",
    "pods": "/api/v1",
    "services": "/api/v1",
    "configmaps": "/api/v1",
}
"""Where each resource that can be watched lives."""


class KubectlError(Exception):
    """kubectl refused or failed; the message is what it said."""


@dataclass(frozen=True)
class Change:
    """One event of a watch: ADDED, MODIFIED or DELETED, and the object as it then was."""

    kind: str
    body: Body


class NotReachedError(Exception):
    """An object did not come into the expected state in time; `last` is how it was last seen, None if it never was."""

    def __init__(self, message: str, last: Body | None) -> None:
        super().__init__(message)
        self.last = last


@dataclass(frozen=True)
class Kubectl:
    """One namespace of one cluster."""

    kubeconfig: Path
    namespace: str = "default"
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def within(self, namespace: str) -> "Kubectl":
        """Return the same cluster's other namespace."""
        return replace(self, namespace=namespace)

    def run(self, *arguments: str, text: str | None = None, seconds: float = COMMAND_SECONDS) -> str:
        """Run kubectl and return what it prints.

        Raises:
            KubectlError: it failed, or did not end within `seconds`.
        """
        try:
            done = subprocess.run(
                self._command(*arguments),
                input=text,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
                env=self.environment,
            )
        except subprocess.TimeoutExpired:
            raise KubectlError(f"kubectl {' '.join(arguments)}: no answer within {seconds:.0f} s") from None
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, manifest: Path | Body) -> str:
        """Apply a file, or one body, and return what kubectl says."""
        if isinstance(manifest, Path):
            return self.run("apply", "--filename", str(manifest))
        return self.run("apply", "--filename", "-", text=json.dumps(manifest))

    def find(self, resource: str, name: str) -> Body | None:
        """Return one object, or None when there is none."""
        found = self.run("get", resource, name, "--ignore-not-found", "--output", "json")
        return dict(json.loads(found)) if found.strip() else None

    def find_all(self, resource: str, *, selector: str = "") -> list[Body]:
        """Return all objects of a resource in the namespace that carry the labels of `selector`."""
        listed = json.loads(self.run("get", resource, "--selector", selector, "--output", "json"))
        return list(listed["items"])

    def delete(self, resource: str, name: str, *, seconds: float = COMMAND_SECONDS) -> None:
        """Delete one object and wait until it is gone; one that is gone already is a success."""
        self.run(
            "delete", resource, name, "--ignore-not-found", "--wait", f"--timeout={seconds:.0f}s", seconds=seconds + 5
        )

    def watch(self, resource: str, name: str = "", *, seconds: int) -> Iterator[Change]:
        """Yield the present objects and then every change, until `seconds` are over or the caller stops."""
        selector = f"&fieldSelector=metadata.name={name}" if name else ""
        path = f"{API_OF[resource]}/namespaces/{self.namespace}/{resource}?watch=1&timeoutSeconds={seconds}{selector}"
        process = subprocess.Popen(
            self._command("get", "--raw", path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        with process:
            try:
                for line in process.stdout or ():
                    event = json.loads(line)
                    if event["type"] == "ERROR":  # the API server ends the watch, and says why in a Status
                        return
                    yield Change(event["type"], event["object"])
            finally:
                process.kill()

    def wait_for(
        self, resource: str, name: str, holds: Callable[[Body], bool], *, seconds: int, what: str = "the expected state"
    ) -> Body:
        """Return the object as soon as `holds` is true of it. A watch that breaks off early is begun again.

        Raises:
            NotReachedError: that did not happen within `seconds`.
        """
        last, end = None, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for change in self.watch(resource, name, seconds=math.ceil(left)):
                last = change.body
                if change.kind != "DELETED" and holds(last):
                    return last
            time.sleep(min(PAUSE_SECONDS, max(end - time.monotonic(), 0)))
        raise NotReachedError(f"{resource}/{name}: not {what} within {seconds} s", last)

    def _command(self, *arguments: str) -> list[str]:
        return ["kubectl", "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace, *arguments]


def find_condition(body: Body, kind: str) -> Body | None:
    """Return the condition of a type, or None while there is none that belongs to the present generation."""
    generation = body["metadata"].get("generation", 0)
    for condition in body.get("status", {}).get("conditions", []):
        if condition["type"] == kind and condition.get("observedGeneration", generation) >= generation:
            return dict(condition)
    return None


def is_true(body: Body, kind: str) -> bool:
    """Return whether the condition of a type is True for the present generation."""
    condition = find_condition(body, kind)
    return condition is not None and condition["status"] == "True"
