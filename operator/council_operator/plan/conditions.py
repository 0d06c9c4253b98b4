"""What the conditions in an object's status say. Of each type there is at most one."""

from typing import Any

Body = dict[str, Any]


def find_condition(body: Body, kind: str) -> Body:
    """Return the condition of a type; an empty one where the object has none."""
    conditions = body.get("status", {}).get("conditions", ())
    return next((condition for condition in conditions if condition.get("type") == kind), {})


def has_condition(body: Body, kind: str, status: str = "True") -> bool:
    """Return whether an object has a condition of a type, and the condition this status."""
    return bool(find_condition(body, kind).get("status") == status)
