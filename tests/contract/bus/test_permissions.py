"""Passwords, and what each user may do, on a server with the permissions that the chart gives it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
import pytest

from deliberation.bus.jetstream import JetStreamBus, connect
from deliberation.bus.login import PasswordLogin
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol import permissions, streams, subjects
from deliberation.protocol.entries import Cancel
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest, ProbeResult
from deliberation.protocol.subjects import Run
from fakes.nats_server import NatsServer

from .messages import PROBE, RUNNER, build_task, proposal
from .refusals import REFUSAL_SECONDS, all_refused

pytestmark = pytest.mark.contract

SOON = 10.0


AS_RUNNER = {"user": "runner", "password": "of-runner"}


def users(runner_password: str = AS_RUNNER["password"]) -> dict[str, Any]:
    return {
        "authorization": {
            "users": [
                {"user": "operator", "password": "of-operator"},
                {"user": "runner", "password": runner_password, "permissions": permissions.RUNNER},
            ]
        }
    }


@dataclass(frozen=True)
class Sides:
    operator: JetStreamBus
    runner: JetStreamBus


@pytest.fixture
def guarded(tmp_path: Path) -> Any:
    with NatsServer(tmp_path, users()) as server:
        for user in ("operator", "runner"):
            (tmp_path / user).write_text(f"of-{user}\n")
        yield server


@pytest.fixture
async def sides(guarded: NatsServer) -> AsyncIterator[Sides]:
    async with AsyncExitStack() as stack:
        buses = []
        for user in ("operator", "runner"):
            bus = await connect(
                guarded.url,
                login=PasswordLogin(user, guarded.folder / user),
                name=user,
                patience_seconds=SOON,
            )
            stack.push_async_callback(bus.close)
            buses.append(bus)
        await buses[0].ensure_streams()
        yield Sides(*buses)


async def test_a_runner_may_do_its_work(sides: Sides, run: Run) -> None:
    beats: asyncio.Queue[str] = asyncio.Queue()
    await sides.operator.ensure_task_consumer(run.namespace, RUNNER)
    await sides.operator.watch_heartbeats(lambda namespace, _: beats.put_nowait(namespace))
    await sides.operator.publish_task(run, RUNNER, build_task(run))

    delivery = await sides.runner.take_task(run.namespace, RUNNER, SOON)
    assert delivery
    await delivery.in_progress()
    assert await sides.runner.publish_entry(run, proposal(0))
    assert not await sides.runner.publish_entry(run, proposal(0))
    assert len(await sides.runner.read_ledger(run)) == 1
    async with sides.runner.follow_ledger(run) as records, asyncio.timeout(SOON):
        assert (await anext(records)).key == "proposal.0.qa-0.0"
        await sides.operator.publish_entry(run, Cancel())
        assert (await anext(records)).key == "cancel"
    await delivery.nak(0)
    again = await sides.runner.take_task(run.namespace, RUNNER, SOON)
    assert again
    await again.lay_aside("no more tries")
    await sides.runner.beat(run.namespace, Heartbeat(runner=RUNNER, running=0, seats={}))
    async with asyncio.timeout(SOON):
        assert await beats.get() == run.namespace


async def test_a_runner_may_answer_the_operators_probes(sides: Sides, run: Run) -> None:
    async def answer(request: ProbeRequest) -> ProbeReply:
        return ProbeReply(results=tuple(ProbeResult(name=model.name) for model in request.models))

    await sides.runner.serve_probes(run.namespace, RUNNER, answer)
    for _ in range(3):
        assert await sides.operator.probe(run.namespace, RUNNER, PROBE, SOON)


async def test_a_runner_may_not_make_change_or_purge_streams_nor_give_itself_tasks(
    sides: Sides, guarded: NatsServer, run: Run
) -> None:
    await sides.operator.publish_entry(run, Cancel())
    login = PasswordLogin("runner", guarded.folder / "runner")
    runner = await connect(guarded.url, login=login, name="impatient", patience_seconds=REFUSAL_SECONDS)
    await all_refused(
        runner.purge(run.namespace, run.deliberation_uid),
        runner.ensure_streams(),
        runner.ensure_task_consumer(run.namespace, RUNNER),
        runner.publish_task(run, RUNNER, build_task(run)),
        match=r"(?i)permissions violation",
    )
    await runner.close()
    assert len(await sides.operator.read_ledger(run)) == 1
    assert await sides.operator.read_task(run.namespace, run.deliberation_uid) is None


@pytest.mark.parametrize(
    "subject",
    [f"{permissions.inbox_prefix('operator')}.>", subjects.TASKS, subjects.LEDGER, subjects.HEARTBEATS, "$JS.>", ">"],
)
async def test_a_runner_may_not_listen_to_others(guarded: NatsServer, subject: str) -> None:
    refused: asyncio.Queue[str] = asyncio.Queue()

    async def see(error: Exception) -> None:
        refused.put_nowait(str(error).lower())

    client = await nats.connect(guarded.url, **AS_RUNNER, error_cb=see)
    await client.subscribe(subject)
    async with asyncio.timeout(SOON):
        assert "permissions violation for subscription" in await refused.get()
    await client.close()


async def test_a_runner_may_not_read_tasks_through_a_consumer_of_its_own(sides: Sides, guarded: NatsServer) -> None:
    assert sides.operator.is_connected
    client = await nats.connect(guarded.url, **AS_RUNNER, inbox_prefix="_INBOX_runner", error_cb=_ignore)
    body = {"stream_name": streams.TASKS.name, "config": {"name": "spy", "filter_subject": subjects.TASKS}}
    with pytest.raises(TimeoutError):
        await client.request(
            f"$JS.API.CONSUMER.CREATE.{streams.TASKS.name}.spy.{subjects.TASKS}", json.dumps(body).encode(), timeout=0.3
        )
    await client.close()


async def test_a_wrong_password_is_told(guarded: NatsServer, run: Run) -> None:
    (guarded.folder / "wrong").write_text("guess")
    login = PasswordLogin("runner", guarded.folder / "wrong")
    bus = await connect(guarded.url, login=login, name="test", patience_seconds=REFUSAL_SECONDS)
    with pytest.raises(BusUnavailableError, match="Authorization Violation") as refusal:
        await bus.publish_entry(run, Cancel())
    assert "guess" not in str(refusal.value)
    await bus.close()


async def test_a_missing_password_file_is_told_and_heals(guarded: NatsServer, run: Run) -> None:
    file = guarded.folder / "later"
    bus = await connect(guarded.url, login=PasswordLogin("operator", file), name="test", patience_seconds=0.5)
    with pytest.raises(BusUnavailableError, match="later"):
        await bus.publish_entry(run, Cancel())
    file.write_text("of-operator")
    patient = await connect(guarded.url, login=PasswordLogin("operator", file), name="test")
    await patient.ensure_streams()
    assert await patient.publish_entry(run, Cancel())
    await patient.close()
    await bus.close()


async def test_a_changed_password_is_read_at_the_next_connect(guarded: NatsServer, sides: Sides, run: Run) -> None:
    assert sides.operator.is_connected
    bus = await connect(guarded.url, login=PasswordLogin("runner", guarded.folder / "runner"), name="test")
    assert await bus.publish_entry(run, proposal(0))
    guarded.kill()
    guarded.settings.update(users("another"))
    guarded.start()
    (guarded.folder / "runner").write_text("another")
    assert await bus.publish_entry(run, proposal(1))
    await bus.close()


async def _ignore(_: Exception) -> None:
    """Bear an error that the test provokes."""
