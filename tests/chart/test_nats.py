"""The chart's NATS starts from its configuration, knows its two users, and keeps what it is told to keep."""

import asyncio
import base64
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from chart.rendering import CHART, Objects, RenderError, pod_specs, render
from deliberation.protocol import permissions, streams

NATS_SERVER = Path(sys.executable).with_name("nats-server")
FIRST_CONNECTION_SECONDS = 10


def password(objects: Objects, key: str) -> str:
    return base64.b64decode(objects["Secret", "council-operator-bus"]["data"][key]).decode()


@asynccontextmanager
async def server(objects: Objects, folder: Path) -> AsyncIterator[str]:
    """Run the real nats-server with the rendered configuration on a free port of loopback; yield its address."""
    config = folder / "nats.conf"
    rendered = objects["ConfigMap", "council-operator-nats"]["data"]["nats.conf"]
    config.write_text(rendered.replace("store_dir: /data", f"store_dir: {folder}/store"))
    process = await asyncio.create_subprocess_exec(
        *(str(NATS_SERVER), "--config", str(config), "--addr", "127.0.0.1", "--port", "-1", "--http_port", "-1"),
        env={
            **os.environ,
            "OPERATOR_PASSWORD": password(objects, "operator-password"),
            "RUNNER_PASSWORD": password(objects, "runner-password"),
        },
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr
    try:
        async with asyncio.timeout(FIRST_CONNECTION_SECONDS):
            log = b""
            while b"Server is ready" not in log:
                line = await process.stderr.readline()
                assert line, f"nats-server ended: {log.decode()}"
                log += line
        found = re.search(r"Listening for client connections on (\S+)", log.decode())
        assert found
        yield f"nats://{found[1]}"
    finally:
        process.kill()
        await process.communicate()


async def connect(address: str, user: str, secret: str) -> Client:
    return await nats.connect(address, user=user, password=secret, allow_reconnect=False, connect_timeout=5)


async def test_the_server_starts_and_knows_both_users(defaults: Objects, tmp_path: Path) -> None:
    async with server(defaults, tmp_path) as address:
        for user in ("operator", "runner"):
            client = await connect(address, user, password(defaults, f"{user}-password"))
            await client.close()
        operator = await connect(address, "operator", password(defaults, "operator-password"))
        account = await operator.jetstream().account_info()
        assert account.streams == 0
        assert operator.max_payload == streams.SERVER_MAX_PAYLOAD_BYTES
        await operator.close()


async def test_the_runner_may_write_ledgers_but_not_make_streams(defaults: Objects, tmp_path: Path) -> None:
    refusals: asyncio.Queue[str] = asyncio.Queue()

    async def note(error: Exception) -> None:
        refusals.put_nowait(str(error))

    async with server(defaults, tmp_path) as address:
        secret = password(defaults, "runner-password")
        runner = await nats.connect(address, user="runner", password=secret, allow_reconnect=False, error_cb=note)
        await runner.publish("council.v1.team.ledger.uid.1.start")
        await runner.publish(f"$JS.API.STREAM.CREATE.{streams.LEDGER.name}")
        async with asyncio.timeout(FIRST_CONNECTION_SECONDS):
            first = await refusals.get()
        await runner.close()
    assert "permissions violation" in first.lower()
    assert "stream.create" in first.lower()


async def test_a_wrong_password_is_refused(defaults: Objects, tmp_path: Path) -> None:
    credentials = json.dumps({"user": "operator", "pass": password(defaults, "runner-password")})
    async with server(defaults, tmp_path) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        assert (await reader.readline()).startswith(b"INFO")
        writer.write(f"CONNECT {credentials}\r\n".encode())
        assert await reader.readline() == b"-ERR 'Authorization Violation'\r\n"
        writer.close()
        await writer.wait_closed()


def test_the_runner_has_the_permissions_that_the_protocol_declares() -> None:
    shipped = json.loads((CHART / "files" / "nats-runner-permissions.json").read_text())
    assert shipped == permissions.RUNNER


def test_writes_are_on_disk_before_they_are_acknowledged(defaults: Objects) -> None:
    assert "sync_interval: always" in defaults["ConfigMap", "council-operator-nats"]["data"]["nats.conf"]


def test_data_survives_the_pod_unless_told_otherwise(defaults: Objects) -> None:
    assert volumes(defaults)["store"] == {"persistentVolumeClaim": {"claimName": "council-operator-nats"}}
    claim = defaults["PersistentVolumeClaim", "council-operator-nats"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "storageClassName" not in claim["spec"]

    transient = render("nats.persistence.enabled=false")
    assert volumes(transient)["store"] == {"emptyDir": {}}
    assert not [kind for kind, _ in transient if kind == "PersistentVolumeClaim"]

    own = render("nats.persistence.existingClaim=ours")
    assert volumes(own)["store"] == {"persistentVolumeClaim": {"claimName": "ours"}}
    assert not [kind for kind, _ in own if kind == "PersistentVolumeClaim"]


def volumes(objects: Objects) -> dict[str, object]:
    spec = objects["StatefulSet", "council-operator-nats"]["spec"]["template"]["spec"]
    return {volume.pop("name"): volume for volume in [dict(volume) for volume in spec["volumes"]]}


def test_a_new_version_of_the_chart_does_not_restart_nats(defaults: Objects) -> None:
    metadata = defaults["StatefulSet", "council-operator-nats"]["spec"]["template"]["metadata"]
    assert set(metadata["labels"]) == {
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/component",
    }


EXTERNAL = ("nats.enabled=false", "bus.url=tls://nats.example:4222", "bus.existingSecret=bus-users")


def test_an_external_nats_takes_its_place() -> None:
    objects = render(*EXTERNAL)
    assert ("StatefulSet", "council-operator-nats") not in objects
    assert ("Secret", "council-operator-bus") not in objects
    (operator,) = pod_specs(objects)
    assert {"name": "COUNCIL_BUS_URL", "value": "tls://nats.example:4222"} in operator["containers"][0]["env"]
    assert {"name": "bus", "secret": {"secretName": "bus-users", "defaultMode": 0o440}} in operator["volumes"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (EXTERNAL[:1], "bus.existingSecret: with nats.enabled=false name the Secret"),
        (EXTERNAL[::2], "bus.url: with nats.enabled=false give the address"),
        (("bus.url=nats://elsewhere:4222",), "bus.url: set it only with nats.enabled=false"),
        (("bus.url=http://elsewhere",), "does not match pattern"),
        (("watchNamespaces={Team A}",), "does not match pattern"),
        (("nats.persistence.size=5GB",), "does not match pattern"),
        (("nats.persistance.enabled=false",), "additional properties 'persistance' not allowed"),
        (("images.pullPolicy=Sometimes",), "value must be one of 'Always', 'IfNotPresent', 'Never'"),
    ],
)
def test_unusable_values_are_refused(settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(RenderError, match=message):
        render(*settings)


def test_secrets_are_new_for_each_release_and_start_with_a_letter(defaults: Objects) -> None:
    other = render()
    for key in ("operator-password", "runner-password"):
        assert password(defaults, key) != password(other, key)
        assert password(defaults, key)[0].isalpha()
