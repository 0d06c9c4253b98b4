"""What the shell commands refuse and find; none of these starts a phase or installs anything."""

import re
import subprocess
from pathlib import Path

import pytest

HACK = Path(__file__).parents[3] / "hack"


def run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False, timeout=30)


def patterns_of_verify() -> list[str]:
    return re.findall(r"names_none '(.*)'", (HACK / "verify").read_text())


def is_found(line: str) -> bool:
    return any(run("grep", "-E", "-e", pattern, stdin=line).returncode == 0 for pattern in patterns_of_verify())


def test_the_help_names_every_phase() -> None:
    script = (HACK / "test").read_text()
    phases = re.search(r"PHASES=\((.*)\)", script)
    assert phases
    told = run(str(HACK / "test"), "--help").stdout
    assert all(re.search(rf"^  {phase} ", told, re.MULTILINE) for phase in ["all", *phases[1].split()])


def test_an_unknown_phase_is_refused_with_those_there_are() -> None:
    done = run(str(HACK / "test"), "integration")
    assert done.returncode == 2
    assert "there is no phase 'integration'; the phases are: all verify unit" in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "cd " + "/work" + "/main",
        'open("' + "/root" + '/.cache/x")',
        "HOME=" + "/root" + "/",
        "https://" + "pypi" + ".org/simple",
    ],
)
def test_verify_finds_what_belongs_to_one_machine(line: str) -> None:
    assert is_found(line)


@pytest.mark.parametrize("line", ["src/work/x.py", "{folder}/root/x", "PyPI", "$HOME/.cache", "go.etcd.io/etcd"])
def test_verify_leaves_the_rest_alone(line: str) -> None:
    assert not is_found(line)
