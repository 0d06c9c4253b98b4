"""`council run --ray`: the runner's actors on a Ray of the command's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fakes.manifests import council, deliberation

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


def test_seats_can_be_actors(tmp_path: Path) -> None:
    manifests = tmp_path / "all.yaml"
    manifests.write_text(yaml.safe_dump_all([council(), deliberation(timeoutSeconds=400)]))
    done = subprocess.run(
        [sys.executable, "-m", "deliberation.cli", "run", "--ray", "-f", str(manifests)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["status"]["progress"]["ballots"] == 6
    assert "nats-server at" in done.stderr
