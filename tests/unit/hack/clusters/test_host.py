import os
import sys
from pathlib import Path

import pytest

from clusters import commands, host
from clusters.errors import Refusal


def test_only_root_may_make_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refusal, match=r"needs root(.|\n)*--control-plane-only"):
        host.require_linux_root()


def test_only_linux_has_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Refusal, match=r"needs Linux(.|\n)*Docker"):
        host.require_linux_root()


def test_too_little_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "available_memory", lambda: 2**29)
    host.require_memory(2**29)
    with pytest.raises(Refusal, match=r"needs 1\.0 GiB of free memory to start; 0\.5 GiB are free"):
        host.require_memory(2**30)


def test_what_is_there_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "run", lambda *_, **__: pytest.fail("nothing is missing"))
    host.require_programs({"sh": "dash"}, {"some-package": [tmp_path / "absent", tmp_path]})


def test_what_is_missing_is_installed_by_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tmp_path / "said"
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    host.require_programs({"no-such-program": "its-package"}, {"other-package": [tmp_path / "absent"]})
    assert said.read_text().splitlines()[1].endswith("its-package other-package")


def test_without_apt_the_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match="its-package"):
        host.require_programs({"no-such-program": "its-package"}, {})
