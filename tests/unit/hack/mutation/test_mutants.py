"""Mutants of a small project of its own, made and tried for real."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = """
def add(one, other):
    return one + other

def count(start):
    while start > 0:
        start -= 1
    return start

def boast(name):
    return name + " is the best"
"""

TESTS = """
from sums.plain import add, count

def test_one_and_one_is_two():
    assert add(1, 1) == 2

def test_counting_ends():
    assert count(3) == 0
"""

SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
"""

SCRIPT = """
import json, sys
from mutation import mutants, trials
trials.TEST_LIMIT_S = 0.3
found = mutants.Mutants(processes=1)
status = found.try_out(list(found.select(["sums"])), ["tests"], processes=2)
verdicts = mutants.Mutants(processes=1).select(["sums"])
print(json.dumps([status, [(found.tell(name), verdict) for name, verdict in verdicts.items()]]))
"""

STOPPED = """
import json
from mutation import mutants
found = mutants.Mutants(processes=1)
def stop(content, file, **_):
    file.write('{"exit')
    raise KeyboardInterrupt
json.dump = stop
found.try_out(list(found.select(["sums"])), ["tests"], processes=2)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path, text in {"src/sums/plain.py": SOURCE, "tests/test_plain.py": TESTS, "pyproject.toml": SETTINGS}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "src/sums/__init__.py").touch()
    return tmp_path


def run_in(project: Path, script: str = SCRIPT) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", script], cwd=project, capture_output=True, text=True, timeout=120, check=False
    )


def test_each_mutant_meets_the_tests_that_reach_it_and_its_verdict_is_kept(project: Path) -> None:
    ran = run_in(project)
    status, told = json.loads(ran.stdout.splitlines()[-1])
    assert status == 0
    verdicts = {changed(diff): verdict for diff, verdict in told}
    assert verdicts["+    return one - other"] == "killed"
    assert verdicts["+    while start >= 0:"] == "killed"
    assert verdicts["+        start += 1"] == "timeout"
    assert verdicts["+        start -= 2"] == "killed"
    assert verdicts['+    return name - " is the best"'] == "no tests"


def test_tests_that_fail_on_the_code_as_it_is_are_told_before_anything_is_tried(project: Path) -> None:
    (project / "tests/test_plain.py").write_text(f"{TESTS}    assert False\n")
    ran = run_in(project)
    assert "tests/test_plain.py::test_counting_ends" in ran.stdout
    status, told = json.loads(ran.stdout.splitlines()[-1])
    assert status != 0
    assert {verdict for _, verdict in told} == {"not checked"}


def test_a_command_that_is_stopped_while_it_writes_leaves_verdicts_that_can_be_read(project: Path) -> None:
    run_in(project, STOPPED)
    assert [path.read_text() for path in project.glob("mutants/**/*.unfinished")] == ['{"exit']
    status, told = json.loads(run_in(project).stdout.splitlines()[-1])
    assert status == 0
    assert "not checked" not in {verdict for _, verdict in told}


def changed(diff: str) -> str:
    return next(line for line in diff.splitlines() if line.startswith("+ "))
