"""The runner's settings: the only reader of the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_CONCURRENT_BOUND = 256
"""Most Deliberations that one runner works on at a time, as the Council's schema bounds it."""


class SettingsError(Exception):
    """The environment lacks a setting or holds an unusable one; the message names it."""


@dataclass(frozen=True)
class Settings:
    """What the RayJob sets: ids and places, never a secret and never a question.

    `seats_with_room` is for how many seats the nodes of the Ray cluster have room; 0 where nobody counts.
    """

    namespace: str
    runner: str
    bus_url: str
    bus_user: str | None
    secrets_dir: Path
    max_concurrent: int
    seats_with_room: int = 0

    @property
    def bus_password_file(self) -> Path | None:
        """Return where the bus password lies; it is read anew at each connection. None for a bus without users."""
        return self.secrets_dir / "council-bus" / "password" if self.bus_user else None


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings that the environment holds.

    Raises:
        SettingsError: a setting is missing or unusable.
    """
    return Settings(
        namespace=_require(environment, "COUNCIL_NAMESPACE"),
        runner=_require(environment, "COUNCIL_RUNNER"),
        bus_url=_require(environment, "COUNCIL_BUS_URL"),
        bus_user=environment.get("COUNCIL_BUS_USER") or None,
        secrets_dir=Path(_require(environment, "COUNCIL_SECRETS_DIR")),
        max_concurrent=_read_max_concurrent(environment),
        seats_with_room=_read_seats_with_room(environment),
    )


def _require(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set: the operator sets it in the runner's RayJob")
    return value


def _read_max_concurrent(environment: Mapping[str, str]) -> int:
    text = environment.get("COUNCIL_MAX_CONCURRENT", "8")
    if not text.isdecimal() or not 1 <= int(text) <= MAX_CONCURRENT_BOUND:
        raise SettingsError(f"COUNCIL_MAX_CONCURRENT is {text!r}: it must be a number from 1 to {MAX_CONCURRENT_BOUND}")
    return int(text)


def _read_seats_with_room(environment: Mapping[str, str]) -> int:
    text = environment.get("COUNCIL_SEATS_WITH_ROOM", "0")
    if not text.isdecimal():
        raise SettingsError(f"COUNCIL_SEATS_WITH_ROOM is {text!r}: it must be a number")
    return int(text)
