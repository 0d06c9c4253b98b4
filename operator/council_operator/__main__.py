"""`python -m council_operator`: the operator in its pod."""

import asyncio
import logging
import os
import sys

import kopf

from council_operator.runtime import Runtime, build_kopf_settings, build_registry
from council_operator.settings import Settings, SettingsError, read_settings

logger = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Watch and reconcile until a signal ends it."""
    runtime = await Runtime.start(settings)
    kopf_settings = build_kopf_settings(settings.watch_namespaces)
    try:
        await kopf.operator(
            registry=build_registry(kopf_settings, runtime),
            settings=kopf_settings,
            clusterwide=not settings.watch_namespaces,
            namespaces=settings.watch_namespaces,
        )
    finally:
        await runtime.stop()


def main() -> int:
    """Run the operator; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)  # it tells of every event that it hands to us
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        logger.error("%s", error)  # noqa: TRY400 - a setting is missing: the trace would say nothing more
        return 1
    asyncio.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
