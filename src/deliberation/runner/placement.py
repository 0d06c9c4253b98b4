"""Where a seat's actor goes among the nodes of a Ray cluster. Knows nothing of Ray but the names of its options."""

from typing import Any

SEAT_RESOURCE = "seat"
"""What nodes of the Ray cluster offer and seats take, where there are workers."""


def choose_place(room: int, hosted: int) -> dict[str, Any]:
    """Return the options of one more actor when there are `hosted` and all nodes together have `room`; 0 is uncounted.

    One that finds no room on the nodes that are there has the autoscaler start a worker. Beyond its most workers it
    would wait for ever, so that one goes to any node.
    """
    if not room:
        return {}
    reserved = {"resources": {SEAT_RESOURCE: 1}} if hosted < room else {}
    return {"scheduling_strategy": "SPREAD", **reserved}
