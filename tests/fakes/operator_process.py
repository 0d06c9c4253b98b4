"""The real operator, as a process of its own, so that a test can kill it."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

START_SECONDS = 180.0
STOP_SECONDS = 60.0


class OperatorProcess:
    """`python -m council_operator` against a given API server and bus, restricted to one namespace.

    With `authority_key` the bus is one of its own, with an account for each namespace.
    """

    def __init__(
        self, folder: Path, kubeconfig: Path, bus_url: str, namespace: str, authority_key: bytes | None = None
    ) -> None:
        self.log = folder / "operator.log"
        (folder / "runner-password").write_text("runner")
        (folder / "derivation-key").write_text("key of a test")
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "COUNCIL_BUS_URL": bus_url,
            "COUNCIL_RUNNER_BUS_PASSWORD_FILE": str(folder / "runner-password"),
            "COUNCIL_DERIVATION_KEY_FILE": str(folder / "derivation-key"),
            "COUNCIL_IMAGE_OPERATOR": "council-operator/operator:test",
            "COUNCIL_IMAGE_RUNNER": "council-operator/runner:test",
            "COUNCIL_IMAGE_VLLM": "vllm:test",
            "COUNCIL_IMAGE_VLLM_CPU": "vllm-cpu:test",
            "COUNCIL_WATCH_NAMESPACES": namespace,
            "COUNCIL_READS_NODES": "true",
            "COUNCIL_METRICS_PORT": str(_free_port()),
        }
        if authority_key:
            (folder / "authority-key").write_bytes(authority_key)
            self._environment["COUNCIL_BUS_AUTHORITY_KEY_FILE"] = str(folder / "authority-key")
            self._environment["COUNCIL_RUNNER_BUS_USER"] = "runner"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self) -> None:
        """Start it, and wait until it serves its health."""
        offset = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "council_operator"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS
        while (found := re.search(rb"health and metrics on port (\d+)", self.log.read_bytes()[offset:])) is None:
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the operator did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.02)
        self._port = int(found[1])

    def kill(self) -> None:
        """End it at once, as a node that loses power does."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        """End it as the kubelet does; return its exit status."""
        if not self._process:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        finally:
            self.kill()

    def metric(self, name: str) -> float:
        """Return the sum of a metric over all its labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}(\{{|\s)", line))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
