"""Health and metrics over HTTP."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import generate_latest

from council_operator.telemetry import REGISTRY


def build_application(is_ready: Callable[[], bool]) -> web.Application:
    """Return the application: /healthz, /readyz and /metrics.

    Health means that the event loop turns. Being ready means that watching has begun; a bus that is down does not
    make the operator unready, because only a running operator can say so in the objects' conditions.
    """

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readiness(_: web.Request) -> web.Response:
        return web.Response(text="ready\n") if is_ready() else web.Response(text="starting\n", status=503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), content_type="text/plain")

    application = web.Application()
    application.add_routes([web.get("/healthz", health), web.get("/readyz", readiness), web.get("/metrics", metrics)])
    return application
