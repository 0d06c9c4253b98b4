"""What somebody hostile in one namespace can do to another, on a NATS of our own.

Each attack runs with the credentials that the attacker's namespace has, and once more with a user that may do anything
in that namespace's account: what parts namespaces must not hang on the table of permissions.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from deliberation.bus.login import CredentialsLogin
from deliberation.bus.namespaced import NamespacedBus
from deliberation.protocol import permissions, streams, subjects
from deliberation.protocol.subjects import Run
from fakes.nats_server import AUTHORITY, NatsServer

from .messages import RUNNER, build_task, proposal
from .namespaces import MINE, SOON, THEIRS, period

pytestmark = pytest.mark.contract

SETTLED = 0.3
LEDGER, TASKS = streams.LEDGER.name, streams.TASKS.name


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


async def _ignore(_: Exception) -> None:
    """Bear an error that an attack provokes."""
