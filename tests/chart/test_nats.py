"""The chart's NATS starts from its configuration, trusts the operator, and keeps what it is told to keep."""

import asyncio
import base64
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest

from chart.rendering import CHART, Objects, RenderError, pod_specs, render
from council_operator.apply import trust
from deliberation.bus.jetstream import connect
from deliberation.bus.login import CredentialsLogin
from deliberation.bus.namespaced import connect_namespaced
from deliberation.protocol import permissions, streams
from deliberation.protocol.authority import Authority, period_of
from deliberation.protocol.entries import Cancel
from deliberation.protocol.subjects import Run

NATS_SERVER = Path(sys.executable).with_name("nats-server")
FIRST_CONNECTION_SECONDS = 10


def authority_of(objects: Objects) -> Authority:
    return Authority(base64.b64decode(objects["Secret", "council-operator-bus"]["data"]["authority-key"]))


@asynccontextmanager
async def server(objects: Objects, folder: Path) -> AsyncIterator[str]:
    """Run the real nats-server with the rendered configuration on a free port of loopback; yield its address."""
    config = folder / "nats.conf"
    rendered = objects["ConfigMap", "council-operator-nats"]["data"]["nats.conf"]
    config.write_text(rendered.replace("/data", f"{folder}/data").replace("/etc/nats-tls", f"{folder}/tls"))
    (folder / trust.FILE).write_text(authority_of(objects).server_settings)
    process = await asyncio.create_subprocess_exec(
        *(str(NATS_SERVER), "--config", str(config), "--addr", "127.0.0.1", "--port", "-1", "--http_port", "-1"),
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


async def test_the_server_starts_and_lets_the_operator_make_accounts(defaults: Objects, tmp_path: Path) -> None:
    authority = authority_of(defaults)
    async with server(defaults, tmp_path) as address:
        bus = await connect_namespaced(address, authority, name="operator")
        await bus.ensure_task_consumer("team-a", "runner-1")
        login = CredentialsLogin("runner", authority.runner("team-a", period_of(time.time_ns() // 1_000_000)))
        runner = await connect(address, login=login, name="runner")
        assert await runner.publish_entry(Run("team-a", "uid"), Cancel())
        assert len(await bus.read_ledger(Run("team-a", "uid"))) == 1
        client = await nats.connect(address, **CredentialsLogin("system", authority.system()).build_options())
        assert client.max_payload == streams.SERVER_MAX_PAYLOAD_BYTES
        await client.close()
        await runner.close()
        await bus.close()


async def test_nobody_gets_in_without_credentials(defaults: Objects, tmp_path: Path) -> None:
    async with server(defaults, tmp_path) as address:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        assert (await reader.readline()).startswith(b"INFO")
        writer.write(b'CONNECT {"user": "operator", "pass": "operator"}\r\n')
        assert await reader.readline() == b"-ERR 'Authorization Violation'\r\n"
        writer.close()
        await writer.wait_closed()


async def test_the_server_never_holds_a_secret(defaults: Objects) -> None:
    """The key is the operator's alone: the server has only what is public, and its pod mounts no Secret."""
    spec = defaults["StatefulSet", "council-operator-nats"]["spec"]["template"]["spec"]
    assert "council-operator-bus" not in json.dumps(spec)
    key = base64.b64decode(defaults["Secret", "council-operator-bus"]["data"]["authority-key"]).decode()
    assert key not in authority_of(defaults).server_settings


def test_the_server_waits_for_what_the_operator_may_write(defaults: Objects) -> None:
    items = volumes(defaults)["config"]["configMap"]["items"]
    assert {item["key"] for item in items} == {"nats.conf", trust.FILE}
    (rule,) = defaults["Role", "council-operator-nats"]["rules"]
    assert rule == {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["council-operator-nats"],
        "verbs": ["patch"],
    }


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
    assert "annotations" not in transient["Secret", "council-operator-bus"]["metadata"]
    assert volumes(transient)["store"] == {"emptyDir": {}}
    assert not [kind for kind, _ in transient if kind == "PersistentVolumeClaim"]

    own = render("nats.persistence.existingClaim=ours")
    assert volumes(own)["store"] == {"persistentVolumeClaim": {"claimName": "ours"}}
    assert not [kind for kind, _ in own if kind == "PersistentVolumeClaim"]


def test_the_key_of_the_kept_ledgers_is_kept_with_them(defaults: Objects) -> None:
    secret = defaults["Secret", "council-operator-bus"]
    assert secret["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_an_account_whose_key_is_lost_keeps_nobody_else_away(defaults: Objects) -> None:
    [container] = defaults["StatefulSet", "council-operator-nats"]["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] == "/healthz?js-server-only=true"


def volumes(objects: Objects) -> dict[str, Any]:
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
        (("bus.replicas=3",), "bus.replicas: the chart's own NATS is one server"),
        (("bus.replicas=2",), "value must be one of 1, 3, 5"),
        (("watchNamespaces={Team A}",), "does not match pattern"),
        (("nats.persistence.size=5GB",), "does not match pattern"),
        (("nats.persistance.enabled=false",), "additional properties 'persistance' not allowed"),
        (("images.pullPolicy=Sometimes",), "value must be one of 'Always', 'IfNotPresent', 'Never'"),
    ],
)
def test_unusable_values_are_refused(settings: tuple[str, ...], message: str) -> None:
    with pytest.raises(RenderError, match=message):
        render(*settings)


def test_keys_are_new_for_each_release(defaults: Objects) -> None:
    assert len(authority_of(defaults).secret) == 48
    assert authority_of(defaults).secret != authority_of(render()).secret
