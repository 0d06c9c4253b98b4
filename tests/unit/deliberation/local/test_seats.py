import importlib.util
from pathlib import Path

import pytest

from deliberation.bus.memory import MemoryBus
from deliberation.local.faults import BadInputError
from deliberation.local.seats import open_seats
from deliberation.models.client import ChatClient
from deliberation.runner.settings import Settings
from fakes.fake_clock import FakeClock


async def test_a_ray_that_is_wanted_and_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    settings = Settings("default", "local", "", None, Path("secrets"), 1)
    with pytest.raises(BadInputError, match="install the extra `runner`"):
        async with open_seats(MemoryBus(), ChatClient(), settings, FakeClock(), on_ray=True):
            pass
