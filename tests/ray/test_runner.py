"""The whole runner: the real process, real Ray actors, a real nats-server, and the simulated model server."""

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import nats
import pytest
import ray

from deliberation.bus.jetstream import JetStreamBus, connect
from deliberation.bus.port import Bus
from deliberation.engine.cost import list_costs
from deliberation.engine.fold import fold
from deliberation.engine.ranking import rank
from deliberation.engine.standing import Standing
from deliberation.protocol.entries import Ballot, Cancel, Outcome, Proposal
from deliberation.protocol.streams import TASKS, build_task_consumer
from deliberation.protocol.tasks import ResolvedStrategy, Task
from deliberation.runner.persist import run_of
from fakes.local_ray import RunnerProcess
from fakes.nats_server import NatsServer
from fakes.simulated_server import SimulatedServer, serving
from fakes.tasks import build_task

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]

SEATS = 3
CALLS = 2 * SEATS


def build(server: SimulatedServer, **fields: Any) -> Task:
    """Return a Panel that starts now."""
    defaults: dict[str, Any] = {
        "deliberation_uid": f"d-{uuid4().hex[:8]}",
        "council_uid": f"c-{uuid4().hex[:8]}",
        "models": (server.address(),),
        "started_at_ms": time.time_ns() // 1_000_000,
        "timeout_ms": 240_000,
    }
    return build_task(SEATS, **{**defaults, **fields})


async def ask(bus: Bus, runner: RunnerProcess, task: Task) -> Standing:
    """Publish the task and return how its run ended."""
    await bus.publish_task(run_of(task), runner.runner, task)
    return await wait_for(bus, task, lambda standing: standing.verdict is not None)


async def wait_for(bus: Bus, task: Task, is_reached: Callable[[Standing], bool]) -> Standing:
    """Follow the run's ledger until it stands as wanted."""
    records = []
    async with bus.follow_ledger(run_of(task)) as incoming:
        async for record in incoming:
            records.append(record)
            standing = fold(task, records)
            if is_reached(standing):
                return standing
    raise AssertionError


def outcome_of(standing: Standing) -> Outcome:
    assert standing.verdict is not None
    return standing.verdict.outcome


def summarise(task: Task, standing: Standing) -> tuple[Any, ...]:
    """Return what must not depend on what was killed on the way."""
    return (
        outcome_of(standing),
        {seat: proposal.answer for seat, proposal in standing.proposals.items()},
        {place: ballot.scores for place, ballot in standing.ballots.items()},
        [(place.proposal.seat, place.rank, place.score) for place in rank(task, standing).places],
    )


@asynccontextmanager
async def own_bus(runner: RunnerProcess) -> AsyncIterator[JetStreamBus]:
    """Give the operator's end of a bus of one's own."""
    bus = await connect(runner.bus_url, name="operator")
    try:
        await bus.ensure_streams()
        await bus.ensure_task_consumer(runner.namespace, runner.runner)
        yield bus
    finally:
        await bus.close()


async def restart_after_kill(runner: RunnerProcess, bus: JetStreamBus) -> None:
    """Kill the runner, and start it as if the minute were over in which the bus still waits for the killed one."""
    runner.kill()
    client = await nats.connect(runner.bus_url)
    try:
        consumer = build_task_consumer(runner.namespace, runner.runner)
        await client.jetstream().delete_consumer(TASKS.name, consumer.durable)
    finally:
        await client.close()
    await bus.ensure_task_consumer(runner.namespace, runner.runner)
    runner.start()


async def test_a_panel_comes_to_its_verdict_and_nothing_secret_is_logged(
    bus: JetStreamBus, shared_runner: RunnerProcess
) -> None:
    folder = shared_runner.secrets_dir / "council-models"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "api-key").write_text("very-secret-key")
    async with serving(api_key="very-secret-key") as server:
        models = (server.address(api_key_file="council-models/api-key"),)
        task = build(server, models=models, question="What shall nobody read in a log?")
        standing = await ask(bus, shared_runner, task)
        assert outcome_of(standing) is Outcome.SUCCEEDED
        assert len(standing.proposals) == len(standing.ballots) == SEATS
        assert (server.model.counts["calls"], server.model.counts["repeats"]) == (CALLS, 0)
        entries: tuple[Proposal | Ballot, ...] = (*standing.proposals.values(), *standing.ballots.values())
        assert [entry.usage.calls for entry in entries] == [1] * CALLS
    assert "very-secret-key" not in shared_runner.log
    assert "nobody read" not in shared_runner.log


@pytest.mark.parametrize("strategy", [ResolvedStrategy.CRITIQUE, ResolvedStrategy.MIXTURE_OF_AGENTS])
async def test_seats_are_sent_all_that_later_stages_are_about(
    bus: JetStreamBus, shared_runner: RunnerProcess, strategy: ResolvedStrategy
) -> None:
    async with serving() as server:
        task = build(server, strategy=strategy, rounds=2, orders=2, synthesiser="dev-1")
        standing = await ask(bus, shared_runner, task)
        assert outcome_of(standing) is Outcome.SUCCEEDED
        assert (standing.synthesis is not None, standing.abstentions) == (True, {})
        assert server.model.counts["calls"] == sum(cost.calls for cost in list_costs(task))


async def test_five_councils_of_three_seats_answer_at_once(bus: JetStreamBus, shared_runner: RunnerProcess) -> None:
    async with serving(latency_milliseconds=50) as server:
        councils = {f"c-{uuid4().hex[:8]}" for _ in range(5)}
        heard: asyncio.Queue[int] = asyncio.Queue()
        beats = await bus.watch_heartbeats(
            lambda _, beat: heard.put_nowait(sum(beat.seats.get(council, 0) for council in councils))
        )
        tasks = [build(server, council_uid=council) for council in councils]
        standings = await asyncio.gather(*(ask(bus, shared_runner, task) for task in tasks))
        assert {outcome_of(standing) for standing in standings} == {Outcome.SUCCEEDED}
        assert server.model.counts["calls"] == 5 * CALLS
        while await heard.get() < 5 * SEATS:
            pass
        await beats.stop()
        names = [name for name in shared_runner.actor_names() if name.partition(".")[0] in councils]
        assert len(names) == 15


@pytest.fixture(scope="session")
def known_result() -> list[tuple[Any, ...]]:
    """Keep what the usual question comes to when nothing is killed, so that it is asked once."""
    return []


@pytest.fixture
async def undisturbed(
    bus: JetStreamBus, shared_runner: RunnerProcess, known_result: list[tuple[Any, ...]]
) -> tuple[Any, ...]:
    """Give what the usual question comes to when nothing is killed."""
    if not known_result:
        async with serving() as server:
            task = build(server)
            known_result.append(summarise(task, await ask(bus, shared_runner, task)))
    return known_result[0]


async def test_a_council_that_cannot_answer_does_not_slow_its_neighbour(
    bus: JetStreamBus, shared_runner: RunnerProcess
) -> None:
    async with serving() as server:
        nowhere = server.address().model_copy(update={"base_url": "http://127.0.0.1:9/v1"})
        broken = build(server, models=(nowhere,), timeout_ms=30_000)
        await bus.publish_task(run_of(broken), shared_runner.runner, broken)
        assert outcome_of(await ask(bus, shared_runner, build(server))) is Outcome.SUCCEEDED
        assert not (await wait_for(bus, broken, lambda standing: standing.started is not None)).verdict
        await bus.publish_entry(run_of(broken), Cancel())


async def test_a_cancelled_run_breaks_its_calls_off(bus: JetStreamBus, shared_runner: RunnerProcess) -> None:
    async with serving(hold=True) as server:
        task = build(server)
        await bus.publish_task(run_of(task), shared_runner.runner, task)
        await server.wait_for_calls(SEATS)
        await bus.publish_entry(run_of(task), Cancel())
        standing = await wait_for(bus, task, lambda standing: standing.verdict is not None)
        assert outcome_of(standing) is Outcome.CANCELLED
        await server.wait_for_aborts(SEATS)
        assert not (await wait_for(bus, task, lambda _: True)).proposals


async def test_d11_the_seats_of_a_council_change_with_its_task(bus: JetStreamBus, shared_runner: RunnerProcess) -> None:
    async with serving() as server:
        council = f"c-{uuid4().hex[:8]}"
        await ask(bus, shared_runner, build(server, council_uid=council))
        fewer = build(server, council_uid=council)
        fewer = fewer.model_copy(update={"seats": fewer.seats[:2]})
        standing = await ask(bus, shared_runner, fewer)
        assert list(standing.proposals) == ["dev-0", "dev-1"]
        names = [name for name in shared_runner.actor_names() if name.startswith(council)]
        assert sorted(names) == [f"{council}.dev-0", f"{council}.dev-1"]


@pytest.mark.parametrize("how", ["ray.kill", "SIGKILL"])
async def test_a_seat_killed_in_its_call_changes_no_result(
    how: str, bus: JetStreamBus, shared_runner: RunnerProcess, undisturbed: tuple[Any, ...]
) -> None:
    async with serving(hold=True) as server:
        task = build(server)
        await bus.publish_task(run_of(task), shared_runner.runner, task)
        await server.wait_for_calls(SEATS)
        actor = ray.get_actor(f"{task.council_uid}.dev-1", namespace=f"council-{shared_runner.runner}")
        if how == "ray.kill":
            ray.kill(actor, no_restart=False)
        else:
            os.kill(await actor.ready.remote(), signal.SIGKILL)
        await server.wait_for_aborts(1)
        server.may_answer.set()
        standing = await wait_for(bus, task, lambda standing: standing.verdict is not None)
        assert summarise(task, standing) == undisturbed
        assert server.arrived == CALLS + 1
        assert server.model.counts["repeats"] == 0


async def test_d4_d9_a_driver_killed_in_the_middle_changes_no_result_and_repeats_no_call(
    own_runner: RunnerProcess, undisturbed: tuple[Any, ...]
) -> None:
    async with own_bus(own_runner) as own, serving(hold=True) as server:
        own_runner.start()
        task = build(server)
        await own.publish_task(run_of(task), own_runner.runner, task)
        await server.wait_for_calls(SEATS)
        await restart_after_kill(own_runner, own)
        server.may_answer.set()
        await server.wait_for_calls(SEATS + 1)
        await restart_after_kill(own_runner, own)
        standing = await wait_for(own, task, lambda standing: standing.verdict is not None)
        assert summarise(task, standing) == undisturbed
        assert server.arrived == CALLS
        assert server.model.counts["repeats"] == 0


async def test_a_driver_that_crashes_comes_back_to_its_seats_and_repeats_no_call(
    own_runner: RunnerProcess, undisturbed: tuple[Any, ...]
) -> None:
    async with own_bus(own_runner) as own, serving(hold=True) as server:
        own_runner.start()
        task = build(server)
        await own.publish_task(run_of(task), own_runner.runner, task)
        await server.wait_for_calls(SEATS)
        own_runner.kill_driver()
        server.may_answer.set()
        standing = await wait_for(own, task, lambda standing: standing.verdict is not None)
        assert summarise(task, standing) == undisturbed
        assert server.arrived == CALLS


async def test_d12_the_next_runner_starts_beside_the_old_one_and_goes_on_with_its_tasks(
    own_runner: RunnerProcess, tmp_path: Path, undisturbed: tuple[Any, ...]
) -> None:
    """The ancestor had to be scaled to zero first: its consumer could be bound to one process only."""
    async with own_bus(own_runner) as own, serving(hold=True) as server:
        own_runner.start()
        task = build(server)
        await own.publish_task(run_of(task), own_runner.runner, task)
        await server.wait_for_calls(SEATS)
        idle = asyncio.Event()
        beats = await own.watch_heartbeats(lambda _, beat: idle.set() if beat.running == 0 else None)
        successor = replace(own_runner, folder=tmp_path)
        successor.start()
        try:
            await idle.wait()  # the old one is at work: this is the new one, and it has bound the consumer
            await beats.stop()
            own_runner.kill()
            server.may_answer.set()
            standing = await wait_for(own, task, lambda standing: standing.verdict is not None)
            assert summarise(task, standing) == undisturbed
            assert server.arrived == CALLS
        finally:
            successor.end()


async def test_a_runner_that_is_asked_to_end_hands_its_task_over(own_runner: RunnerProcess) -> None:
    async with own_bus(own_runner) as own, serving(hold=True) as server:
        own_runner.start()
        task = build(server)
        await own.publish_task(run_of(task), own_runner.runner, task)
        await server.wait_for_calls(SEATS)
        assert own_runner.terminate() == 0
        await server.wait_for_aborts(SEATS)
        assert own_runner.actor_names() == []
        server.may_answer.set()
        own_runner.start()
        standing = await wait_for(own, task, lambda standing: standing.verdict is not None)
        assert outcome_of(standing) is Outcome.SUCCEEDED


async def test_a_bus_that_dies_in_the_middle_costs_no_answer(
    own_runner: RunnerProcess, nats_server: NatsServer, undisturbed: tuple[Any, ...]
) -> None:
    async with own_bus(own_runner) as own, serving(hold=True) as server:
        own_runner.start()
        task = build(server)
        await own.publish_task(run_of(task), own_runner.runner, task)
        await server.wait_for_calls(SEATS)
        nats_server.kill()
        server.may_answer.set()
        await server.wait_for_answers(SEATS)
        nats_server.start()
        standing = await wait_for(own, task, lambda standing: standing.verdict is not None)
        assert summarise(task, standing) == undisturbed
        assert server.arrived == CALLS


async def test_how_long_a_warm_panel_takes(
    bus: JetStreamBus, shared_runner: RunnerProcess, record_property: Callable[[str, object], None]
) -> None:
    """Information, not a limit: on an idle machine the median is well below 250 ms."""
    async with serving() as server:
        council = f"c-{uuid4().hex[:8]}"
        took = []
        for _ in range(21):
            task = build(server, council_uid=council)
            begun = time.perf_counter()
            await ask(bus, shared_runner, task)
            took.append(round(1000 * (time.perf_counter() - begun)))
        record_property("cold_milliseconds", took[0])
        record_property("warm_median_milliseconds", statistics.median(took[1:]))
        print(f"Panel of {SEATS} seats, simulated model: cold {took[0]} ms, warm {sorted(took[1:])} ms")  # noqa: T201


async def test_a_runner_of_one_task_goes_on_after_a_crash_and_ends_with_it(own_runner: RunnerProcess) -> None:
    own_runner.one_task = True
    async with own_bus(own_runner) as bus, serving(hold=True) as server:
        task = build(server)
        await bus.publish_task(run_of(task), own_runner.runner, task)
        own_runner.start()
        await server.wait_for_calls(SEATS)
        own_runner.kill_driver()
        server.may_answer.set()
        standing = await wait_for(bus, task, lambda standing: standing.verdict is not None)
        assert outcome_of(standing) is Outcome.SUCCEEDED
        assert await asyncio.to_thread(own_runner.wait) == 0
        assert server.answered == CALLS
        assert await bus.take_task(own_runner.namespace, own_runner.runner, 0.1) is None
    assert own_runner.actor_names() == []
