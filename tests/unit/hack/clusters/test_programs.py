import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from clusters import programs
from clusters.errors import Refusal, StepFailed
from clusters.programs import Program
from clusters.progress import Progress


class Usage(NamedTuple):
    free: int


def go_that_says(folder: Path, version: str) -> None:
    path = folder / "go"
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(0o755)


def test_versions_come_from_go_mod() -> None:
    assert programs.kubernetes_version() == "v1.37.2"
    assert programs.kuberay_version() == "v1.6.2"
    assert programs.required_version(programs.KIND, "sigs.k8s.io/kind") == "v0.33.0"
    with pytest.raises(ValueError, match="does not require"):
        programs.required_version(programs.PAUSE, "sigs.k8s.io/kind")


def test_no_go_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match=r"Go is not installed.*\n.*1\.26 or newer"):
        programs.go_version()


def test_an_old_go_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_that_says(tmp_path, "go1.25.9")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match=r"too old: go1\.25\.9"):
        programs.go_version()


@pytest.mark.parametrize("version", ["go1.26.0", "go1.26.8", "go1.30rc1", "go2.0"])
def test_a_newer_go_will_do(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_that_says(tmp_path, version)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert programs.go_version() == version


def test_a_program_lies_elsewhere_when_its_source_or_go_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "GO_MODULES", tmp_path)
    source = tmp_path / "x"
    source.mkdir()
    (source / "main.go").write_text("package main\n")
    program = Program("x")
    first = programs.home(program, Path("/cache"), "go1.26.0")
    assert first.parent == Path("/cache/programs")
    assert programs.home(program, Path("/cache"), "go1.26.0") == first
    assert programs.home(program, Path("/cache"), "go1.26.1") != first
    (source / "main.go").write_text("package main // changed\n")
    assert programs.home(program, Path("/cache"), "go1.26.0") != first


def test_what_is_in_the_cache_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_that_says(tmp_path, "go1.26.8")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    there = programs.home(programs.PAUSE, tmp_path, "go1.26.8")
    there.mkdir(parents=True)
    (there / "pause").touch()
    assert programs.provide(programs.PAUSE, tmp_path, Progress()) == there


def test_a_failed_build_leaves_nothing_and_shows_what_the_compiler_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\n[ "$1" = env ] && echo go1.26.8 && exit\necho "main.go:7: undefined: x" >&2\nexit 1\n')
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(StepFailed, match=r"building pause(.|\n)*undefined: x"):
        programs.provide(programs.PAUSE, tmp_path / "cache", Progress())
    assert [path.name for path in (tmp_path / "cache" / "programs").iterdir()] == ["pause.log"]


def test_a_full_disk_is_refused_before_a_long_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_that_says(tmp_path, "go1.26.8")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**30))
    with pytest.raises(Refusal, match=r"needs 12 GiB of disk; .* has 1\.0"):
        programs.provide(programs.KUBERNETES, tmp_path / "cache", Progress())


def test_too_little_memory_is_refused_before_a_long_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_that_says(tmp_path, "go1.26.8")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(programs, "available_memory", lambda: 2**30)
    with pytest.raises(Refusal, match=r"needs 4 GiB of memory; 1\.0 are free"):
        programs.provide(programs.KUBERNETES, tmp_path / "cache", Progress())


def test_available_memory_is_read_in_bytes(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  9 kB\nMemAvailable:     2048 kB\n")
    assert programs.available_memory(meminfo) == 2 * 2**20
