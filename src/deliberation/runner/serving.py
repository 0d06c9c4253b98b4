"""The driver's process, below the one that keeps it alive: takes tasks until SIGTERM, or its only task and ends."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Coroutine

from deliberation.bus.jetstream import connect
from deliberation.models.client import ChatClient
from deliberation.runner.actors import ActorSeats, connect_to_ray
from deliberation.runner.clock import SystemClock
from deliberation.runner.desk import Desk
from deliberation.runner.health import Probes, beat
from deliberation.runner.logs import set_up_logs
from deliberation.runner.settings import Settings, SettingsError, read_settings
from deliberation.runner.supervisor import UNUSABLE_SETTINGS

ORPHANED = 70
"""Exit status of a driver whose supervisor is gone; nobody is left to read it."""

log = logging.getLogger("deliberation.runner")


async def serve(settings: Settings) -> None:
    """Work on tasks until SIGTERM or SIGINT; then give back what is in work and end the seats.

    A fault leaves the seats alone: the next driver goes on with them. A runner of one task ends with it. Nobody asks it
    for anything else, so it neither beats nor answers probes.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock = SystemClock()
    bus = await connect(
        settings.bus_url,
        login=settings.bus_login,
        tls=settings.bus_tls,
        name=f"{settings.namespace}/{settings.runner}",
    )
    client = ChatClient()
    seats = ActorSeats(settings, clock)
    desk = Desk(settings.namespace, settings.runner, bus, seats, clock, settings.max_concurrent)
    duties: tuple[Coroutine[None, None, None], ...]
    if settings.one_task:
        duties = (_until_done(desk.run_once(), stop), seats.tend())
    else:
        await bus.serve_probes(settings.namespace, settings.runner, Probes(client, settings.secrets_dir).answer)
        duties = (desk.run(), seats.tend(), beat(settings.namespace, settings.runner, bus, desk, seats, client, clock))
    log.info("runner %s of namespace %s takes tasks", settings.runner, settings.namespace)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(duty) for duty in duties]
            await stop.wait()
            log.info("about to end")
            for task in tasks:
                task.cancel()
    finally:
        if stop.is_set():
            seats.end_all()
        await client.close()
        await bus.close()


async def _until_done(work: Coroutine[None, None, None], done: asyncio.Event) -> None:
    await work
    done.set()


def die_with_supervisor() -> None:
    """End at once when the supervisor is gone: another job may have its driver, and the seats are to live on."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(ORPHANED)


def main() -> int:
    """Run the driver and return its exit status."""
    set_up_logs()
    threading.Thread(target=die_with_supervisor, daemon=True).start()
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        log.critical("%s", error)
        return UNUSABLE_SETTINGS
    connect_to_ray(settings.runner)
    asyncio.run(serve(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
