"""A real Ray on this machine and the real runner on it, for tests: beside the fakes because tests start it as those."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import ray

START_TRIES = 3
"""Ray gives itself 30 s to start, which can't be changed, and on a busy machine its own imports take longer."""

STOP_SECONDS = 120


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """Start a Ray that all tests share, and give its address."""
    os.environ["RAY_AUTH_MODE"] = "disabled"  # else Ray would write a token into the home folder
    folder = tempfile.mkdtemp(prefix="ray-")
    try:
        yield _start(folder)
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: str) -> str:
    for tries_left in reversed(range(START_TRIES)):
        try:
            ray.init(num_cpus=2, include_dashboard=False, _temp_dir=folder, log_to_driver=False)
        except Exception:
            ray.shutdown()
            if not tries_left:
                raise
        else:
            return str(ray.get_runtime_context().gcs_address)
    raise AssertionError


@dataclass
class RunnerProcess:
    """`python -m deliberation.runner` as its RayJob starts it; by its name it finds the actors of the last one."""

    ray_address: str
    bus_url: str
    folder: Path
    namespace: str
    runner: str
    one_task: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def secrets_dir(self) -> Path:
        """Where Secrets would be mounted."""
        return self.folder / "secrets"

    @property
    def log(self) -> str:
        """All that it has written, the seats included."""
        return (self.folder / "runner.log").read_text()

    def start(self) -> None:
        """Start it; it takes tasks some seconds later."""
        environment = {
            **os.environ,
            "RAY_ADDRESS": self.ray_address,
            "COUNCIL_NAMESPACE": self.namespace,
            "COUNCIL_RUNNER": self.runner,
            "COUNCIL_BUS_URL": self.bus_url,
            "COUNCIL_SECRETS_DIR": str(self.secrets_dir),
            "COUNCIL_ONE_TASK": str(self.one_task).lower(),
        }
        with (self.folder / "runner.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deliberation.runner"], env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def kill(self) -> None:
        """End it with SIGKILL; its actors live on."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def kill_driver(self) -> None:
        """End the driver below it with SIGKILL; it starts another."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        (driver,) = children.read_text().split()
        os.kill(int(driver), signal.SIGKILL)

    def wait(self) -> int:
        """Return its exit code when it has ended by itself."""
        assert self.process is not None
        return self.process.wait(STOP_SECONDS)

    def terminate(self) -> int:
        """End it with SIGTERM, and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def end(self) -> None:
        """End it and its actors, whatever state they are in."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.end_actors()

    def end_actors(self) -> None:
        """End its actors: each is a process that would take memory from the next test."""
        for name in self.actor_names():
            with contextlib.suppress(ValueError):
                ray.kill(ray.get_actor(name, namespace=f"council-{self.runner}"), no_restart=True)

    def actor_names(self) -> list[str]:
        """Return the names of its living actors."""
        actors = ray.util.list_named_actors(all_namespaces=True)
        return [actor["name"] for actor in actors if actor["namespace"] == f"council-{self.runner}"]
