"""The entry of the RayJob, as far as it comes without a Ray."""

import os
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


def test_a_missing_setting_is_named_and_ends_the_job() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNCIL_")}
    ended = subprocess.run(
        [sys.executable, "-m", "deliberation.runner"], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "COUNCIL_NAMESPACE is not set" in ended.stderr
    assert "Traceback" not in ended.stderr
