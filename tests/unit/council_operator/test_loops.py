import asyncio

import pytest

from council_operator import loops as loops_module
from council_operator.loops import Again, Key, Loops, Settled

KEY = Key("Council", "default", "architects")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops_module, "QUIET_SECONDS", 0)
    monkeypatch.setattr(loops_module, "_backoff", lambda _failures: 0)


class Passes:
    """Counts passes, and says when a given number was reached."""

    def __init__(self, *outcomes: Again | Settled | Exception) -> None:
        self.outcomes = list(outcomes)
        self.count = 0
        self.reached = asyncio.Condition()
        self.failures: list[int] = []

    async def reconcile(self, _key: Key) -> Again | Settled:
        outcome = self.outcomes[min(self.count, len(self.outcomes) - 1)]
        async with self.reached:
            self.count += 1
            self.reached.notify_all()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def report(self, _key: Key, _error: Exception, failures: int) -> None:
        self.failures.append(failures)
        raise RuntimeError("the API server is away: reporting fails too")

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60), self.reached:
            await self.reached.wait_for(lambda: self.count >= count)


async def test_an_object_is_looked_at_for_every_wake_and_burst() -> None:
    passes = Passes(Again(3600))
    loops = Loops()
    loops.begin(passes.reconcile, passes.report)
    loops.wake(KEY)
    loops.wake(KEY)
    await passes.until(1)
    loops.wake(KEY)
    await passes.until(2)
    await loops.close()
    assert passes.count == 2


async def test_no_exception_ends_a_loop_and_failures_in_a_row_are_counted() -> None:
    passes = Passes(ValueError("a"), OSError("b"), Again(0), ValueError("c"), Again(3600))
    loops = Loops()
    loops.begin(passes.reconcile, passes.report)
    loops.wake(KEY)
    await passes.until(5)
    await loops.close()
    assert passes.failures == [1, 2, 1]


async def test_what_may_wait_a_moment_becomes_one_pass_and_what_is_urgent_takes_it_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops_module, "SOON_SECONDS", 0)
    passes = Passes(Again(3600))
    loops = Loops()
    loops.begin(passes.reconcile, passes.report)
    for _ in range(3):
        loops.wake_soon(KEY)
    assert loops.count("Council") == 0
    await passes.until(1)
    monkeypatch.setattr(loops_module, "SOON_SECONDS", 3600)
    loops.wake_soon(KEY)
    loops.wake(KEY)
    await passes.until(2)
    assert loops._due == {}
    loops.wake_soon(KEY)
    await loops.close()
    assert passes.count == 2


async def test_a_settled_object_costs_nothing_until_it_is_woken_again() -> None:
    passes = Passes(Settled())
    loops = Loops()
    loops.begin(passes.reconcile, passes.report)
    loops.wake(KEY)
    await passes.until(1)
    async with asyncio.timeout(60):
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "Council/default/architects"))
    assert loops.count("Council") == 0
    loops.wake(KEY)
    await passes.until(2)
    await loops.close()


async def test_an_object_is_looked_at_again_without_any_event() -> None:
    passes = Passes(Again(0), Again(3600))
    loops = Loops()
    loops.begin(passes.reconcile, passes.report)
    loops.wake(KEY)
    await passes.until(2)
    await loops.close()


async def test_a_plan_that_never_rests_is_slowed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[int] = []

    def record(failures: int) -> float:
        delays.append(failures)
        return 0

    monkeypatch.setattr(loops_module, "_backoff", record)
    passes = Passes(Again(0, acted=True))
    loops = Loops()
    loops.begin(passes.reconcile, passes.report)
    loops.wake(KEY)
    await passes.until(loops_module.RESTLESS_AFTER_PASSES + 4)
    await loops.close()
    assert delays[:3] == [1, 2, 3]


async def test_a_stuck_object_does_not_hold_up_its_neighbours() -> None:
    seen: list[str] = []
    stuck = asyncio.Event()
    done = asyncio.Event()

    async def reconcile(key: Key) -> Again:
        if key.name == "stuck":
            await stuck.wait()
        seen.append(key.name)
        done.set()
        return Again(3600)

    loops = Loops(parallel=2)
    loops.begin(reconcile, Passes(Settled()).report)
    loops.wake(Key("Council", "default", "stuck"))
    loops.wake(KEY)
    async with asyncio.timeout(60):
        await done.wait()
    await loops.close()
    assert seen == ["architects"]


async def test_a_namespace_with_thousands_of_objects_does_not_hold_up_another() -> None:
    seen: list[str] = []
    all_seen = asyncio.Event()

    async def reconcile(key: Key) -> Settled:
        await asyncio.sleep(0)
        seen.append(key.namespace)
        if len(seen) == 101:
            all_seen.set()
        return Settled()

    loops = Loops(parallel=2)
    loops.begin(reconcile, Passes(Settled()).report)
    for number in range(100):
        loops.wake(Key("Deliberation", "crowded", f"q{number}"))
    loops.wake(Key("Deliberation", "quiet", "q"))
    async with asyncio.timeout(60):
        await all_seen.wait()
    await loops.close()
    assert seen.index("quiet") <= 4


async def test_loops_that_end_while_they_wait_leave_their_turn_to_others() -> None:
    slots = loops_module._Slots(1)
    order: list[str] = []

    async def work(name: str) -> None:
        async with slots.hold("default"):
            order.append(name)

    async with slots.hold("default"):
        waiting = [asyncio.create_task(work(name)) for name in ("first", "second")]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(60), slots.hold("default"):
        order.append("third")
    assert order == ["third"]


def test_backoff_grows_to_a_minute_and_never_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    delays = [loops_module._backoff(failures) for failures in range(1, 200)]
    assert delays[0] <= 1
    assert max(delays) <= loops_module.LONGEST_BACKOFF_SECONDS
    assert min(delays[20:]) >= loops_module.LONGEST_BACKOFF_SECONDS / 2
