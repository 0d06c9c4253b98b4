"""How pip reaches its index on this machine, handed to pip inside a build and never stored in an image."""

import ast
import configparser
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Where the Dockerfiles mount the secret `ca-bundle`.
BUNDLE_INSIDE = "/run/secrets/ca-bundle"
BUNDLE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
# These name files and folders of this machine, which a build can't see.
_LOCAL_OPTIONS = {"cert", "find-links", "cache-dir", "log", "src", "target", "prefix", "requirement", "constraint"}


@dataclass(frozen=True)
class PipSettings:
    """What pip inside a build needs to know.

    Attributes:
        configuration: text of a pip.conf; it may hold credentials of an index.
        bundle: certificates to trust, or None for those that pip brings along.
    """

    configuration: str
    bundle: Path | None

    def write(self, folder: Path) -> dict[str, Path]:
        """Write what the build mounts as secrets, readable by this user alone, and return it by the secret's name."""
        configuration = folder / "pip.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(self.configuration)
        return {"pip.conf": configuration, **({"ca-bundle": self.bundle} if self.bundle else {})}


def read_settings(environment: Mapping[str, str] = os.environ) -> PipSettings:
    """Ask this machine's pip for its settings, from files and PIP_* variables alike."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    bundle = find_bundle(environment)
    return PipSettings(translate(listing, has_bundle=bundle is not None), bundle)


def find_bundle(environment: Mapping[str, str]) -> Path | None:
    """Return the file of certificates that the first of pip's variables names, or None when it names none."""
    named = next((environment[variable] for variable in BUNDLE_VARIABLES if environment.get(variable)), None)
    return Path(named) if named and Path(named).is_file() else None


def translate(listing: str, *, has_bundle: bool) -> str:
    """Return a pip.conf with the settings that `pip config list` printed, less those that only this machine knows.

    Variables win over files, as pip has it: they go into the section [global] last.
    """
    lines = [line.partition("=") for line in listing.splitlines() if "=" in line]
    settings = configparser.RawConfigParser()
    settings.add_section("global")
    for key, _, quoted in sorted(lines, key=lambda line: line[0].startswith(":env:")):
        section, _, option = key.rpartition(".")
        if option in _LOCAL_OPTIONS:
            continue
        section = "global" if section == ":env:" else section
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, option, str(ast.literal_eval(quoted)).replace("\n", "\n  "))
    if has_bundle:
        settings.set("global", "cert", BUNDLE_INSIDE)
    text = io.StringIO()
    settings.write(text)
    return text.getvalue()
