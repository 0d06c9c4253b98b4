"""Namespaces on a NATS of our own: real credentials against the real server, in the hands of somebody hostile.

Each attack runs with the credentials that the attacker's namespace has, and once more with a user that may do anything
in that namespace's account: what parts namespaces must not hang on the table of permissions.
"""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from deliberation.bus.jetstream import JetStreamBus, connect
from deliberation.bus.login import CREDENTIALS_KEY, CredentialsLogin, SecretLogin
from deliberation.bus.namespaced import NamespacedBus, connect_namespaced
from deliberation.bus.port import BusUnavailableError
from deliberation.protocol import authority, keys, permissions, streams, subjects
from deliberation.protocol.authority import Authority
from deliberation.protocol.entries import Cancel
from deliberation.protocol.health import Heartbeat, ProbeReply, ProbeRequest, ProbeResult
from deliberation.protocol.subjects import Run
from deliberation.protocol.tokens import Credentials, user_credentials
from fakes.nats_server import AUTHORITY, NatsServer, trusting

from .messages import PROBE, RUNNER, build_task, proposal

pytestmark = pytest.mark.contract

SOON = 10.0
SETTLED = 0.3
MINE, THEIRS = Run("red", "uid-red"), Run("blue", "uid-blue")
LEDGER, TASKS = streams.LEDGER.name, streams.TASKS.name


def period() -> int:
    return authority.period_of(time.time_ns() // 1_000_000)


def secret_folder(folder: Path, credentials: Credentials) -> Path:
    """Return a folder as the kubelet mounts it."""
    folder.mkdir(exist_ok=True)
    (folder / CREDENTIALS_KEY).write_text(credentials.to_file())
    return folder


async def connect_runner(server: NatsServer, folder: Path, patience_seconds: float = SOON) -> JetStreamBus:
    login = SecretLogin(permissions.RUNNER_USER, folder)
    return await connect(server.url, login=login, name="runner", patience_seconds=patience_seconds)


@pytest.fixture
async def operator(trusting_server: NatsServer) -> AsyncIterator[NamespacedBus]:
    bus = await connect_namespaced(trusting_server.url, AUTHORITY, name="operator", patience_seconds=SOON)
    yield bus
    await bus.close()


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
    impatient = await connect_runner(trusting_server, tmp_path / "mine", 0.5)
    assert runner.is_connected or await runner.read_ledger(MINE)
    for refused in (
        impatient.purge(MINE.namespace, MINE.deliberation_uid),
        impatient.ensure_streams(),
        impatient.ensure_task_consumer(MINE.namespace, RUNNER),
        impatient.publish_task(MINE, RUNNER, build_task(MINE)),
    ):
        with pytest.raises(BusUnavailableError, match=r"(?i)permissions violation"):
            await refused
    await impatient.close()
    assert len(await operator.read_ledger(MINE)) == 1
    assert await operator.read_task(MINE.namespace, MINE.deliberation_uid) is None


@dataclass
class Attack:
    """A hostile client in the account of MINE; what it was answered or overheard, whatever it was."""

    client: Client
    inbox: str
    heard: list[Msg]

    async def ask(self, subject: str, body: Any = b"") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.client.publish(subject, data, reply=f"{self.inbox}.{len(self.heard)}")

    async def store(self, subject: str, data: bytes) -> None:
        """Write to a stream, and wait until it is there."""
        await self.client.request(subject, data, timeout=SOON)

    async def say(self, subject: str, data: bytes = b"forged", reply: str = "") -> None:
        await self.client.publish(subject, data, reply=reply)

    @property
    def words(self) -> str:
        """Everything heard: subjects, headers and contents; not that nobody listens, which repeats the question."""
        told = [message for message in self.heard if (message.headers or {}).get("Status") != "503"]
        return "\n".join(f"{message.subject} {message.headers} {message.data!r}" for message in told)


@pytest.fixture(params=["credentials of a runner", "anything in its account"])
async def attack(
    request: pytest.FixtureRequest, operator: NamespacedBus, trusting_server: NatsServer
) -> AsyncIterator[Attack]:
    """Give the attacker, when both namespaces have a task and a ledger."""
    for run in (MINE, THEIRS):
        await operator.ensure_task_consumer(run.namespace, RUNNER)
        await operator.publish_task(run, RUNNER, build_task(run, question=f"secret of {run.namespace}"))
        await operator.publish_entry(run, proposal(0).model_copy(update={"answer": f"secret of {run.namespace}"}))
    is_runner = request.param == "credentials of a runner"
    user = permissions.RUNNER_USER if is_runner else "root"
    credentials = AUTHORITY.runner("red", period()) if is_runner else AUTHORITY.operator("red")
    inbox = permissions.inbox_prefix(user)
    attack: Attack

    async def hear(message: Msg) -> None:
        attack.heard.append(message)

    client = await nats.connect(
        trusting_server.url, **CredentialsLogin(user, credentials).build_options(), error_cb=_ignore
    )
    attack = Attack(client, inbox, [])
    await client.subscribe(f"{inbox}.>", cb=hear)
    await client.flush()
    yield attack
    await client.close()


def consumer(stream: str, name: str, filter_subject: str, deliver_subject: str) -> dict[str, Any]:
    config = {
        "name": name,
        "filter_subject": filter_subject,
        "deliver_subject": deliver_subject,
        "deliver_policy": "all",
        "ack_policy": "none",
        "mem_storage": True,
    }
    return {"stream_name": stream, "config": config}


async def listen_to_everything(attack: Attack) -> None:
    async def hear(message: Msg) -> None:
        attack.heard.append(message)

    for subject in (">", "council.>", "council.v1.blue.>", "_INBOX_operator.>", "$JS.>", "$SYS.>"):
        await attack.client.subscribe(subject, cb=hear)


async def read_by_sequence(attack: Attack) -> None:
    for stream in (LEDGER, TASKS):
        for sequence in range(4):
            await attack.ask(f"$JS.API.DIRECT.GET.{stream}", {"seq": sequence})
            await attack.ask(f"$JS.API.STREAM.MSG.GET.{stream}", {"seq": sequence})


async def read_by_subject(attack: Attack) -> None:
    for stream, wanted in ((LEDGER, "council.v1.blue.ledger.>"), (TASKS, "council.v1.blue.task.>")):
        await attack.ask(f"$JS.API.DIRECT.GET.{stream}", {"last_by_subj": wanted})
        await attack.ask(f"$JS.API.DIRECT.GET.{stream}", {"multi_last": [wanted]})
        await attack.ask(f"$JS.API.DIRECT.GET.{stream}", {"seq": 1, "next_by_subj": wanted, "batch": 100})
        await attack.ask(f"$JS.API.DIRECT.GET.{stream}.{wanted.removesuffix('>')}uid-blue.1.proposal.0.qa-0.0")


async def read_by_consumer(attack: Attack) -> None:
    for stream, wanted in ((LEDGER, "council.v1.blue.ledger.>"), (TASKS, "council.v1.blue.task.>"), (LEDGER, ">")):
        body = consumer(stream, "spy", wanted, f"{attack.inbox}.spy")
        await attack.ask(f"$JS.API.CONSUMER.CREATE.{stream}.spy.{wanted}", body)
        await attack.ask(f"$JS.API.CONSUMER.CREATE.{stream}.spy.council.v1.red.ledger.>", body)
        await attack.ask(f"$JS.API.CONSUMER.CREATE.{stream}", body)
    await attack.ask(f"$JS.API.CONSUMER.MSG.NEXT.{TASKS}.blue_{RUNNER}", {"batch": 10, "expires": 100_000_000})


async def read_what_streams_tell(attack: Attack) -> None:
    for stream in (LEDGER, TASKS):
        await attack.ask(f"$JS.API.STREAM.INFO.{stream}", {"subjects_filter": ">"})
        await attack.ask(f"$JS.API.CONSUMER.NAMES.{stream}")
        await attack.ask(f"$JS.API.CONSUMER.LIST.{stream}")
    for subject in ("$JS.API.INFO", "$JS.API.STREAM.NAMES", "$SYS.REQ.ACCOUNT.PING.JSZ", "$SYS.REQ.USER.INFO"):
        await attack.ask(subject)
    await attack.ask(f"$SYS.REQ.ACCOUNT.{AUTHORITY.account_name('blue')}.JSZ")
    await attack.ask(f"$SYS.REQ.ACCOUNT.{AUTHORITY.account_name('blue')}.CONNZ")


READING = [listen_to_everything, read_by_sequence, read_by_subject, read_by_consumer, read_what_streams_tell]


@pytest.mark.parametrize("read", READING)
async def test_nothing_of_another_namespace_can_be_read(
    attack: Attack, operator: NamespacedBus, read: Callable[[Attack], Awaitable[None]]
) -> None:
    await read(attack)
    await operator.publish_entry(THEIRS, proposal(1).model_copy(update={"answer": "secret of blue, said later"}))
    await attack.client.flush()
    await asyncio.sleep(SETTLED)
    assert "secret of blue" not in attack.words
    assert "uid-blue" not in attack.words


async def write_its_subjects(attack: Attack) -> None:
    victim = [
        subjects.task(Run("blue", "forged"), RUNNER),
        subjects.entry(THEIRS, "proposal.0.qa-9.0"),
        subjects.entry(THEIRS, "verdict"),
        subjects.dead(THEIRS, RUNNER),
        subjects.heartbeat("blue", RUNNER),
        subjects.probe("blue", RUNNER),
    ]
    for subject in victim:
        await attack.say(subject)


async def have_the_server_write(attack: Attack) -> None:
    """Within one account JetStream answers wherever it is told, also where the asker may not publish."""
    own = subjects.entry(MINE, "forged")
    await attack.store(own, build_task(THEIRS).encode())
    for number, subject in enumerate(
        (subjects.task(Run("blue", "forged"), RUNNER), subjects.entry(THEIRS, "verdict"), "council.v1.blue.ledger.x")
    ):
        await attack.say(f"$JS.API.DIRECT.GET.{LEDGER}", json.dumps({"last_by_subj": own}).encode(), reply=subject)
        await attack.say(subjects.entry(MINE, f"note-{number}"), reply=subject)
        await attack.ask(
            f"$JS.API.CONSUMER.CREATE.{LEDGER}.mole{number}.council.v1.red.ledger.>",
            consumer(LEDGER, f"mole{number}", "council.v1.red.ledger.>", subject),
        )


async def take_its_tasks(attack: Attack) -> None:
    await attack.ask(f"$JS.API.CONSUMER.MSG.NEXT.{TASKS}.blue_{RUNNER}", {"batch": 1, "expires": 100_000_000})
    await attack.say(f"$JS.ACK.{TASKS}.blue_{RUNNER}.1.1.1.1.0", b"+TERM")


async def destroy(attack: Attack) -> None:
    for stream in (LEDGER, TASKS):
        await attack.ask(f"$JS.API.CONSUMER.DELETE.{stream}.blue_{RUNNER}")
        await attack.ask(f"$JS.API.STREAM.MSG.DELETE.{stream}", {"seq": 1})
        await attack.ask(f"$JS.API.STREAM.PURGE.{stream}", {"filter": "council.v1.blue.>"})
        await attack.ask(f"$JS.API.STREAM.PURGE.{stream}")
        await attack.ask(f"$JS.API.STREAM.DELETE.{stream}")
    await attack.ask("$SYS.REQ.CLAIMS.UPDATE", AUTHORITY.account_token("blue").encode())
    await attack.ask("$SYS.REQ.CLAIMS.DELETE", AUTHORITY.account_token("blue").encode())


@pytest.mark.parametrize("write", [write_its_subjects, have_the_server_write, take_its_tasks, destroy])
async def test_nothing_of_another_namespace_can_be_changed(
    attack: Attack, operator: NamespacedBus, write: Callable[[Attack], Awaitable[None]]
) -> None:
    beats: list[str] = []
    await operator.watch_heartbeats(lambda namespace, _: beats.append(namespace))
    before = await operator.read_ledger(THEIRS)
    await write(attack)
    await attack.client.flush()
    await asyncio.sleep(SETTLED)
    assert await operator.read_ledger(THEIRS) == before
    assert await operator.read_task("blue", "forged") is None
    assert "blue" not in beats
    delivery = await operator.take_task("blue", RUNNER, SOON)
    assert delivery
    assert delivery.run == THEIRS
    assert delivery.redelivered == 0
    assert await operator.take_task("blue", RUNNER, 0.1) is None


async def test_the_attacks_work_within_the_attackers_own_account(attack: Attack, operator: NamespacedBus) -> None:
    """A check that can't fail would show nothing: the very same forgery succeeds where there is no wall."""
    own = subjects.entry(MINE, "forged")
    await attack.store(own, build_task(Run("red", "forged")).encode())
    forged = subjects.task(Run("red", "forged"), RUNNER)
    await attack.say(f"$JS.API.DIRECT.GET.{LEDGER}", json.dumps({"last_by_subj": own}).encode(), reply=forged)
    await attack.client.flush()
    await asyncio.sleep(SETTLED)
    assert await operator.read_task("red", "forged")


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
    bus = await connect_runner(trusting_server, secret_folder(tmp_path / "red", credentials()), 0.7)
    with pytest.raises(BusUnavailableError, match="Authorization Violation"):
        await bus.publish_entry(MINE, Cancel())
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
        stranger = await connect_namespaced(
            server.url, Authority(b"the key of another installation...."), name="stranger", patience_seconds=0.5
        )
        stack.push_async_callback(stranger.close)
        with pytest.raises(BusUnavailableError, match="Authorization Violation"):
            await stranger.ensure_streams()
        patient = await connect_namespaced(server.url, AUTHORITY, name="patient", patience_seconds=SOON)
        stack.push_async_callback(patient.close)
        assert await patient.publish_entry(MINE, Cancel())


async def test_closing_leaves_no_task_behind(operator: NamespacedBus) -> None:
    await operator.watch_ledger(lambda *_: None)
    await operator.publish_entry(MINE, Cancel())
    await operator.publish_entry(THEIRS, Cancel())
    await operator.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def _ignore(_: Exception) -> None:
    """Bear an error that an attack provokes."""
