import asyncio

from deliberation.runner.clock import SystemClock, sleep
from fakes.fake_clock import FakeClock, settle


async def test_the_system_clock_calls_at_its_moment_and_at_once_when_it_is_over() -> None:
    clock = SystemClock()
    called = asyncio.Event()
    at_ms = clock.now_ms() + 20
    clock.call_at(at_ms, called.set)
    await called.wait()
    assert clock.now_ms() >= at_ms - 1
    over = asyncio.Event()
    clock.call_at(0, over.set)
    await over.wait()


async def test_a_cancelled_timer_does_not_call() -> None:
    called = []
    clock = SystemClock()
    timer = clock.call_at(clock.now_ms(), lambda: called.append(1))
    timer.cancel()
    await settle()
    assert not called


async def test_sleep_ends_when_the_time_has_come() -> None:
    clock = FakeClock()
    sleeping = asyncio.create_task(sleep(clock, 1_000))
    await clock.advance(999)
    assert not sleeping.done()
    await clock.advance(1)
    assert sleeping.done()
