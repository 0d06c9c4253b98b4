import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from deliberation.bus.port import BusUnavailableError
from deliberation.cli.__main__ import main
from fakes.manifests import council, deliberation

SAMPLES = Path(__file__).parents[4] / "docs" / "samples"
PROMPT_SAMPLES = ("council-simulated.yaml", "deliberation.yaml", "deliberation-vote.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder of manifests: a Council, two questions, and something else."""
    for name, body in (("a-council", council()), ("b-why", deliberation()), ("c-how", deliberation("how"))):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(body))
    (tmp_path / "notes.txt").write_text("no manifest")
    return tmp_path


def run(*arguments: object) -> int:
    return main(["run", "--bus", "memory", *map(str, arguments)])


def test_a_folder_of_manifests_is_answered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-f", folder) == 0
    output = capsys.readouterr()
    bodies = list(yaml.safe_load_all(output.out))
    assert [body["metadata"]["name"] for body in bodies] == ["why", "how"]
    assert [body["status"]["phase"] for body in bodies] == ["Succeeded", "Succeeded"]
    assert "why: Succeeded: 3 of 3 proposals, 6 ballots\n" in output.err
    assert output.err.endswith("the ledger was kept by memory\n")


def test_json_and_the_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(yaml.safe_dump_all([council(), deliberation()])))
    assert run("-f", "-", "-o", "json", "-n", "team") == 0
    body = json.loads(capsys.readouterr().out)
    assert body["metadata"]["namespace"] == "team"
    assert body["status"]["result"]["type"] == "Text"
    assert "spec" not in body


def test_the_samples_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*(part for name in PROMPT_SAMPLES for part in ("-f", SAMPLES / name))) == 0
    text, choice = yaml.safe_load_all(capsys.readouterr().out)
    assert text["status"]["strategy"]["resolved"] == "Panel"
    assert choice["status"]["result"]["answer"] in {"release", "wait"}


def test_quiet_says_nothing_of_how_it_goes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "key.yaml").write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: key}")
    run("-f", folder)
    assert "Secret key: ignored" in capsys.readouterr().err
    run("-f", folder, "-q")
    assert "Succeeded" not in capsys.readouterr().err


def test_a_failure_is_exit_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = {"name": "small", "simulated": {"latencyMilliseconds": 0, "malformedPercent": 100}}
    manifests = [council(models=[broken]), deliberation(answer={"type": "Boolean"})]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(manifests))
    assert run("-f", tmp_path / "all.yaml") == 1
    assert yaml.safe_load(capsys.readouterr().out)["status"]["phase"] == "Failed"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-f", "nowhere.yaml"), "council run: nowhere.yaml: cannot be read: No such file or directory"),
        (("-f", SAMPLES / "deliberation.yaml"), "no Council reviewers of namespace default is given"),
        (
            ("-f", SAMPLES / "council.yaml", "-f", SAMPLES / "deliberation.yaml"),
            "as --endpoint small=http://127.0.0.1:8000/v1,gemma3-270m",
        ),
        (("-f", SAMPLES / "deliberation.yaml", "--endpoint", "x"), "council run: "),
    ],
)
def test_bad_input_is_exit_status_2(
    arguments: tuple[object, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    output = capsys.readouterr()
    assert told in output.err
    assert output.out == ""


def test_a_folder_without_manifests_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "image.yaml").write_bytes(b"\xff\xfe")
    assert run("-f", tmp_path) == 2
    assert "it is no text" in capsys.readouterr().err
    (tmp_path / "image.yaml").unlink()
    assert run("-f", tmp_path) == 2
    assert "no .yaml, .yml, .json in this folder" in capsys.readouterr().err


class Command:
    """`council run` in a process of its own, on a model that takes ten minutes for an answer."""

    def __init__(self, folder: Path) -> None:
        slow = {"name": "small", "simulated": {"latencyMilliseconds": 600_000}}
        (folder / "all.yaml").write_text(yaml.safe_dump_all([council(models=[slow]), deliberation()]))
        arguments: list[Any] = ["run", "--bus", "memory", "-f", folder / "all.yaml"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deliberation.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )

    def wait_for(self, line: str) -> None:
        assert self.process.stderr is not None
        assert any(line in told for told in iter(self.process.stderr.readline, ""))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def test_an_interrupt_cancels_and_prints_what_there_is(tmp_path: Path) -> None:
    with Command(tmp_path) as command:
        command.wait_for("why: Deliberating: 0 of 3 proposals")
        command.process.send_signal(signal.SIGINT)
        output, _ = command.process.communicate(timeout=60)
    assert command.process.returncode == 1
    assert yaml.safe_load(output)["status"]["phase"] == "Cancelled"


def test_a_second_interrupt_ends_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run_without_end(*_: object, cancel: asyncio.Event, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await cancel.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    monkeypatch.setattr("deliberation.cli.run.run", run_without_end)
    assert run("-f", folder) == 130
    output = capsys.readouterr()
    assert output.out == ""
    assert "cancelling; once more ends at once" in output.err


def test_a_bus_that_went_away_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose_the_bus(*_: object, **__: object) -> None:
        raise BusUnavailableError("NATS cannot be reached")

    monkeypatch.setattr("deliberation.cli.run.run", lose_the_bus)
    assert run("-f", folder) == 1
    assert "council run: NATS cannot be reached" in capsys.readouterr().err
