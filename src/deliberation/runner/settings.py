"""The runner's settings: the only reader of the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deliberation.bus.login import CA_KEY, Login, NoLogin, SecretLogin, Tls

BUS_SECRET = "council-bus"  # noqa: S105 - the name of a Secret, not its content

MAX_CONCURRENT_BOUND = 256
"""Most Deliberations that one runner works on at a time, as the Council's schema bounds it."""


class SettingsError(Exception):
    """The environment lacks a setting or holds an unusable one; the message names it."""


@dataclass(frozen=True)
class Settings:
    """What the RayJob sets: ids and places, never a secret and never a question.

    `one_task`: the runner is one Deliberation's own, and ends with it.
    `seats_with_room` is for how many seats the nodes of the Ray cluster have room; 0 where nobody counts.
    `bus_ca`: the Secret of the bus holds the certificates of the authorities that its server's must be signed by.
    """

    namespace: str
    runner: str
    bus_url: str
    bus_user: str | None
    secrets_dir: Path
    max_concurrent: int
    seats_with_room: int = 0
    one_task: bool = False
    bus_ca: bool = False
    bus_server_name: str | None = None

    @property
    def bus_login(self) -> Login:
        """Return how to log in at the bus: with what the Secret `council-bus` holds, unless the bus has no users."""
        return SecretLogin(self.bus_user, self.bus_folder) if self.bus_user else NoLogin()

    @property
    def bus_tls(self) -> Tls | None:
        """Return how the connection to the bus is encrypted; None: as its address says."""
        if not self.bus_ca and not self.bus_server_name:
            return None
        return Tls(self.bus_folder / CA_KEY if self.bus_ca else None, self.bus_server_name)

    @property
    def bus_folder(self) -> Path:
        """Return where the Secret `council-bus` is mounted."""
        return self.secrets_dir / BUS_SECRET


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
        one_task=environment.get("COUNCIL_ONE_TASK") == "true",
        bus_ca=environment.get("COUNCIL_BUS_CA") == "true",
        bus_server_name=environment.get("COUNCIL_BUS_SERVER_NAME") or None,
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
