"""`kopf run operator/main.py`: the operator on a developer's machine, composed as in its pod."""

import os

import kopf

from council_operator.handlers import watch
from council_operator.runtime import Runtime, build_kopf_settings
from council_operator.settings import read_settings

_runtimes: list[Runtime] = []


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, **_: object) -> None:
    """Connect, and register the handlers of the runtime."""
    read = read_settings(os.environ)
    runtime = await Runtime.start(read)
    ours = build_kopf_settings(read.watch_namespaces)
    settings.posting, settings.peering, settings.scanning = ours.posting, ours.peering, ours.scanning
    settings.networking, settings.watching = ours.networking, ours.watching
    watch.register(kopf.get_default_registry(), settings, runtime.wakes, nodes=runtime.reads_nodes)
    _runtimes.append(runtime)


@kopf.on.cleanup()
async def stop(**_: object) -> None:
    """Disconnect."""
    await _runtimes.pop().stop()
