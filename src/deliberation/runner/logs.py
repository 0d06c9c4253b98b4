"""Logs of the runner's processes: one line an event, to the standard error output."""

import logging

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up_logs() -> None:
    """Log our own events from INFO, everybody else's from WARNING."""
    logging.basicConfig(level=logging.WARNING, format=FORMAT, force=True)
    logging.getLogger("deliberation").setLevel(logging.INFO)
