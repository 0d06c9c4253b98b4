import json
import os
from pathlib import Path

import pytest

from clusters import processes
from clusters.processes import Process


def test_a_spawned_process_is_remembered_and_ended(tmp_path: Path) -> None:
    record = tmp_path / "p.json"
    process = processes.spawn(["sleep", "1000"], record=record, log=tmp_path / "log")
    assert processes.recall(record) == process
    assert process.alive()
    processes.end_all([process], step="test")
    assert not process.alive()


def test_another_process_with_the_same_id_is_left_alone() -> None:
    own = processes.observed(os.getpid())
    earlier = Process(own.pid, own.started - 1, own.boot)
    before_reboot = Process(own.pid, own.started, "another boot")
    assert own.alive()
    for other in (earlier, before_reboot):
        assert not other.alive()
        other.kill()  # would end this very test run
        assert other.child() is None


def test_what_a_process_says_is_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = processes.spawn(["sh", "-c", "echo out; echo err >&2"], record=tmp_path / "p.json", log=log)
    while process.alive():
        pass
    assert log.read_text() == "out\nerr\n"
    processes.end_all([process], step="test")


@pytest.mark.parametrize("content", [None, "", "{", "[]", json.dumps({"pid": 1})])
def test_a_record_that_is_missing_or_cut_short_recalls_nothing(tmp_path: Path, content: str | None) -> None:
    record = tmp_path / "p.json"
    if content is not None:
        record.write_text(content)
    assert processes.recall(record) is None


def test_an_unknown_program_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        processes.spawn(["no-such-program"], record=tmp_path / "p", log=tmp_path / "log")
