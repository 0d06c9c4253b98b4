import asyncio
from contextlib import suppress

import pytest

from deliberation.bus import ending
from deliberation.bus.ending import end


async def test_a_task_that_passes_over_a_cancellation_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "AGAIN_SECONDS", 0.01)
    passed_over = 0

    async def pass_over_two() -> None:
        nonlocal passed_over
        for _ in range(2):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            passed_over += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(pass_over_two())
    await asyncio.sleep(0)
    await end(task)
    assert (passed_over, task.cancelled()) == (2, True)


async def test_a_task_that_failed_is_ended_already() -> None:
    async def fail() -> None:
        raise ValueError

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await end(task)
    await end(task)
    assert task.done()
