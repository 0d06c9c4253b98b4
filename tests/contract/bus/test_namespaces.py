"""Namespaces on a NATS of our own: what their runners may do, with which credentials, and what a server may lose."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deliberation.bus.jetstream import JetStreamBus, connect
from deliberation.bus.login import SecretLogin
from deliberation.bus.namespaced import NamespacedBus, connect_namespaced
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol import keys, permissions
from deliberation.protocol.authority import Authority
from deliberation.protocol.entries import Cancel
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest, ProbeResult
from deliberation.protocol.tokens import Credentials, user_credentials
from fakes.nats_server import AUTHORITY, NatsServer, trusting

from .messages import PROBE, RUNNER, build_task, proposal
from .namespaces import MINE, SOON, THEIRS, connect_runner, period, secret_folder
from .refusals import REFUSAL_SECONDS, all_refused

pytestmark = pytest.mark.contract


@pytest.fixture
async def runner(operator: NamespacedBus, trusting_server: NatsServer, tmp_path: Path) -> AsyncIterator[JetStreamBus]:
    """Give the bus of the runner of MINE, with its credentials read from a file."""
    await operator.ensure_task_consumer(MINE.namespace, RUNNER)
    bus = await connect_runner(
        trusting_server, secret_folder(tmp_path / "mine", AUTHORITY.runner(MINE.namespace, period()))
    )
    yield bus
    await bus.close()


async def test_a_runner_may_do_its_work(operator: NamespacedBus, runner: JetStreamBus) -> None:
    beats: asyncio.Queue[str] = asyncio.Queue()
    written: asyncio.Queue[str] = asyncio.Queue()
    await operator.watch_heartbeats(lambda namespace, _: beats.put_nowait(namespace))
    await operator.watch_ledger(lambda run, key: written.put_nowait(f"{run.namespace} {key}"))
    await operator.publish_task(MINE, RUNNER, build_task(MINE))

    delivery = await runner.take_task(MINE.namespace, RUNNER, SOON)
    assert delivery
    await delivery.in_progress()
    assert await runner.publish_entry(MINE, proposal(0))
    assert not await runner.publish_entry(MINE, proposal(0))
    assert len(await runner.read_ledger(MINE)) == 1
    async with runner.follow_ledger(MINE) as records, asyncio.timeout(SOON):
        assert (await anext(records)).key == "proposal.0.qa-0.0"
        await operator.publish_entry(MINE, Cancel())
        assert (await anext(records)).key == "cancel"
    await delivery.nak(0)
    again = await runner.take_task(MINE.namespace, RUNNER, SOON)
    assert again
    await again.lay_aside("no more tries")
    await runner.beat(MINE.namespace, Heartbeat(runner=RUNNER, running=0, seats={}))
    async with asyncio.timeout(SOON):
        assert await beats.get() == MINE.namespace
        assert await written.get() == "red proposal.0.qa-0.0"


async def test_a_runner_may_answer_the_operators_probes(operator: NamespacedBus, runner: JetStreamBus) -> None:
    async def answer(request: ProbeRequest) -> ProbeReply:
        return ProbeReply(results=tuple(ProbeResult(name=model.name) for model in request.models))

    await runner.serve_probes(MINE.namespace, RUNNER, answer)
    for _ in range(3):
        assert await operator.probe(MINE.namespace, RUNNER, PROBE, SOON)


async def test_a_runner_may_not_make_change_or_purge_streams_nor_give_itself_tasks(
    operator: NamespacedBus, runner: JetStreamBus, trusting_server: NatsServer, tmp_path: Path
) -> None:
    await operator.publish_entry(MINE, Cancel())
    impatient = await connect_runner(trusting_server, tmp_path / "mine", REFUSAL_SECONDS)
    assert runner.is_connected or await runner.read_ledger(MINE)
    await all_refused(
        impatient.purge(MINE.namespace, MINE.deliberation_uid),
        impatient.ensure_streams(),
        impatient.ensure_task_consumer(MINE.namespace, RUNNER),
        impatient.publish_task(MINE, RUNNER, build_task(MINE)),
        match=r"(?i)permissions violation",
    )
    await impatient.close()
    assert len(await operator.read_ledger(MINE)) == 1
    assert await operator.read_task(MINE.namespace, MINE.deliberation_uid) is None


@pytest.mark.parametrize(
    ("credentials", "why"),
    [
        (lambda: AUTHORITY.runner("red", period() - 3), "too old"),
        (lambda: AUTHORITY.runner("unheard-of", period()), "of a namespace without an account"),
        (lambda: Authority(b"the key of another installation....").runner("red", period()), "signed by somebody else"),
        (lambda: Credentials(AUTHORITY.runner("red", period()).token, AUTHORITY.runner("blue", 1).key), "not its own"),
    ],
)
async def test_credentials_that_do_not_hold_are_refused(
    operator: NamespacedBus,
    trusting_server: NatsServer,
    tmp_path: Path,
    credentials: Callable[[], Credentials],
    why: str,
) -> None:
    await operator.ensure_task_consumer("red", RUNNER)
    assert why
    bus = await connect_runner(trusting_server, secret_folder(tmp_path / "red", credentials()), REFUSAL_SECONDS)
    await all_refused(bus.publish_entry(MINE, Cancel()), match="Authorization Violation")
    await bus.close()


async def test_a_runner_outlives_its_credentials_when_the_file_is_renewed(
    operator: NamespacedBus, trusting_server: NatsServer, tmp_path: Path
) -> None:
    await operator.ensure_task_consumer("red", RUNNER)
    expires_s = int(time.time()) + 2
    short = user_credentials(
        AUTHORITY._account("red"), keys.derive(b"short", keys.Role.USER, ""), "runner", expires_s=expires_s
    )
    states: asyncio.Queue[str] = asyncio.Queue()
    folder = secret_folder(tmp_path / "red", short)
    login = SecretLogin(permissions.RUNNER_USER, folder)
    bus = await connect(trusting_server.url, login=login, name="runner", on_state=states.put_nowait)
    async with asyncio.timeout(SOON):
        assert await states.get() == "connected"
        assert await bus.publish_entry(MINE, proposal(0))
        secret_folder(folder, AUTHORITY.runner("red", period()))
        assert await states.get() == "disconnected"
        assert await states.get() == "connected"
        assert time.time() >= expires_s - 1
        assert await bus.publish_entry(MINE, proposal(1))
    await bus.close()


async def test_a_server_that_lost_its_volume_knows_every_namespace_again(
    operator: NamespacedBus, runner: JetStreamBus, trusting_server: NatsServer
) -> None:
    await runner.publish_entry(MINE, proposal(0))
    trusting_server.kill()
    for store in ("accounts", "jetstream"):
        shutil.rmtree(trusting_server.folder / store)
    trusting_server.start()
    await operator.ensure_streams()
    assert await runner.publish_entry(MINE, proposal(1))
    assert [record.key for record in await operator.read_ledger(MINE)] == ["proposal.0.qa-1.0"]


async def test_a_killed_server_loses_nothing_and_watchers_go_on(
    operator: NamespacedBus, runner: JetStreamBus, trusting_server: NatsServer
) -> None:
    written: asyncio.Queue[str] = asyncio.Queue()
    await operator.watch_ledger(lambda _, key: written.put_nowait(key))
    await runner.publish_entry(MINE, proposal(0))
    trusting_server.kill()
    trusting_server.start()
    await runner.publish_entry(MINE, proposal(1))
    async with asyncio.timeout(SOON):
        assert [await written.get(), await written.get()] == ["proposal.0.qa-0.0", "proposal.0.qa-1.0"]
    assert len(await operator.read_ledger(MINE)) == 2


async def test_an_operator_before_its_server_and_one_without_trust_are_told(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, trusting(AUTHORITY, tmp_path))
    server.start()
    server.kill()
    async with AsyncExitStack() as stack:
        stack.callback(server.kill)
        early = await connect_namespaced(server.url, AUTHORITY, name="early", patience_seconds=0.3)
        stack.push_async_callback(early.close)
        for refused in (early.ensure_streams(), early.publish_entry(MINE, Cancel())):
            with pytest.raises(BusUnavailableError, match="cannot be reached"):
                await refused
        assert not early.is_connected
        server.start()
        others = Authority(b"the key of another installation....")
        stranger = await connect_namespaced(server.url, others, name="stranger", patience_seconds=REFUSAL_SECONDS)
        stack.push_async_callback(stranger.close)
        await all_refused(stranger.ensure_streams(), match="Authorization Violation")
        patient = await connect_namespaced(server.url, AUTHORITY, name="patient", patience_seconds=SOON)
        stack.push_async_callback(patient.close)
        assert await patient.publish_entry(MINE, Cancel())


async def test_closing_leaves_no_task_behind(operator: NamespacedBus) -> None:
    await operator.watch_ledger(lambda *_: None)
    await operator.publish_entry(MINE, Cancel())
    await operator.publish_entry(THEIRS, Cancel())
    await operator.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
