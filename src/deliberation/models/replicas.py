"""Finds the replicas of a model behind their headless Service, and what each of them has to do."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from deliberation.models.routing import Load, choose_replica, read_load

FRESH_SECONDS = 1.0
"""How long loads are believed: about as long as a short call takes."""

LOOK_SECONDS = 2.0
MAX_METRICS_BYTES = 4 * 1024 * 1024
OK = 200

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a host, each as it stands in a URL."""


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses that DNS has for a host; a headless Service has one for each pod that is ready.

    Raises:
        OSError: the name is not known, or nobody could be asked.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return sorted({f"[{at[0]}]" if family is socket.AF_INET6 else str(at[0]) for family, _, _, _, at in found})


@dataclass(frozen=True)
class _Seen:
    at: float
    loads: Mapping[str, Load]


class Replicas:
    """Chooses a replica for each call, by loads at most a second old. One look serves all who ask meanwhile."""

    def __init__(self, *, resolve: Resolve = resolve, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._resolve = resolve
        self._monotonic = monotonic
        self._seen: dict[str, _Seen] = {}
        self._looking: dict[str, asyncio.Task[_Seen]] = {}

    async def choose(self, replicas_url: str, beginning: str, session: aiohttp.ClientSession) -> str | None:
        """Return the base URL of the replica for a prompt that begins so; None when no replica tells its load.

        `replicas_url` is the base URL with the name that stands for all replicas.
        """
        loads = await self._read_loads(replicas_url, session)
        return choose_replica(loads, beginning) if loads else None

    async def keep_waiting(self, replicas_url: str, session: aiohttp.ClientSession) -> bool:
        """Return whether every replica that tells its load has calls that it does not work on yet."""
        loads = await self._read_loads(replicas_url, session)
        return bool(loads) and all(load.waiting for load in loads.values())

    def forget(self, replicas_url: str) -> None:
        """Look again before the next choice: a call found its replica in trouble."""
        self._seen.pop(replicas_url, None)

    async def _read_loads(self, replicas_url: str, session: aiohttp.ClientSession) -> Mapping[str, Load]:
        seen = self._seen.get(replicas_url)
        if seen is None or self._monotonic() - seen.at > FRESH_SECONDS:
            seen = await self._look(replicas_url, session)
        return seen.loads

    async def _look(self, replicas_url: str, session: aiohttp.ClientSession) -> _Seen:
        looking = self._looking.get(replicas_url)
        if looking is None:
            looking = asyncio.create_task(self._see(replicas_url, session))
            self._looking[replicas_url] = looking
            looking.add_done_callback(lambda _: self._looking.pop(replicas_url, None))
        return await asyncio.shield(looking)

    async def _see(self, replicas_url: str, session: aiohttp.ClientSession) -> _Seen:
        parts = urlsplit(replicas_url)
        port = parts.port or 80
        try:
            addresses = await self._resolve(parts.hostname or "", port)
        except OSError:
            addresses = []
        roots = [f"{parts.scheme}://{address}:{port}" for address in addresses]
        loads = await asyncio.gather(*(_ask(root, session) for root in roots))
        told = {f"{root}{parts.path}": load for root, load in zip(roots, loads, strict=True) if load is not None}
        seen = self._seen[replicas_url] = _Seen(self._monotonic(), told)
        return seen


async def _ask(root: str, session: aiohttp.ClientSession) -> Load | None:
    """Return what a replica says of its load; None when it says nothing that can be read. Metrics ask for no key."""
    timeout = aiohttp.ClientTimeout(total=LOOK_SECONDS)
    try:
        async with session.get(f"{root}/metrics", timeout=timeout, allow_redirects=False) as response:
            content = await response.content.read(MAX_METRICS_BYTES)
            return read_load(content.decode("utf-8", "replace")) if response.status == OK else None
    except (aiohttp.ClientError, OSError, TimeoutError):
        return None
