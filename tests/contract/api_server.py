"""The API server of a contract test, asked as a user asks it: with kubectl."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Body = dict[str, Any]

COMMAND_SECONDS = 120


class RefusedError(Exception):
    """kubectl ended with an error; the text is what it told the user."""


@dataclass(frozen=True)
class ApiServer:
    """A running API server and the namespace that a test works in."""

    kubeconfig: Path
    namespace: str = "default"

    def kubectl(self, *arguments: str, stdin: str | None = None, within: float = COMMAND_SECONDS) -> str:
        """Return what kubectl prints.

        Raises:
            RefusedError: kubectl failed.
        """
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace, *arguments]
        done = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False, timeout=within)
        if done.returncode != 0:
            raise RefusedError(done.stderr)
        return done.stdout

    def kubectl_wait(self, what: str, condition: str, seconds: int) -> None:
        """Wait until something is so, at most `seconds`.

        Raises:
            RefusedError: it was not so in time.
        """
        self.kubectl("wait", what, f"--for={condition}", f"--timeout={seconds}s", within=seconds + COMMAND_SECONDS)

    def apply(self, body: Body, *options: str) -> Body:
        """Apply an object server-side, as it is strictly read, and return it as it is stored."""
        given = ("--server-side", "--output=json", "--filename=-", *options)
        stored: Body = json.loads(self.kubectl("apply", *given, stdin=json.dumps(body)))
        return stored

    def refusal(self, body: Body) -> str:
        """Return what a user reads who applies an object that must be refused; nothing is stored in any case."""
        try:
            self.kubectl("apply", "--dry-run=server", "--filename=-", stdin=json.dumps(body))
        except RefusedError as error:
            return str(error)
        raise AssertionError(f"{body['kind']} {body['metadata']['name']} was accepted")

    def apply_status(self, body: Body, manager: str) -> Body:
        """Apply the status of an object, as the operator does."""
        return self.apply(body, "--subresource=status", f"--field-manager={manager}")

    def get(self, kind: str, name: str) -> Body:
        """Return an object."""
        body: Body = json.loads(self.kubectl("get", kind, name, "--output=json"))
        return body

    def table(self, *arguments: str) -> list[list[str]]:
        """Return the cells that `kubectl get` shows, row by row, the heading first. No cell may hold two blanks."""
        lines = self.kubectl("get", *arguments).splitlines()
        starts = [at for at, sign in enumerate(lines[0]) if sign != " " and (at == 0 or lines[0][at - 1] == " ")]
        ends = [*starts[1:], None]
        return [[line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in lines]
