"""The two programs that build from a Dockerfile: Docker where it answers, buildah with a base of our own otherwise."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clusters.errors import Refusal
from clusters.locks import locked
from image_build.debian import build_base
from image_build.programs import answers, run
from image_build.recipes import Recipe

BASE = "debian:bookworm-slim"

IN_USE = "in-use"
BUILDAH_FOLDERS = ("storage", "run")
"""Where buildah keeps its images and layers, and what it knows of running builds."""


@dataclass(frozen=True)
class Order:
    """One build.

    Attributes:
        recipe: what is built.
        context: the folder that holds everything the build may see.
        secrets: files that are mounted while the build runs, by the name under which the Dockerfile asks for them.
    """

    recipe: Recipe
    context: Path
    secrets: Mapping[str, Path]

    def arguments(self, base: str | None = None) -> list[str]:
        """Return what both engines' build commands understand; without a base the Dockerfile's own default holds."""
        arguments = ["--file", str(self.context / self.recipe.dockerfile), "--tag", self.recipe.reference]
        if base is not None:
            arguments += ["--build-arg", f"BASE={base}"]
        for name, path in self.secrets.items():
            arguments += ["--secret", f"id={name},src={path}"]
        return [*arguments, str(self.context)]


class Engine(Protocol):
    """Builds images and writes them to files."""

    def build_archive(self, order: Order, archive: Path) -> None:
        """Build the image and write it as an archive in Docker's format."""

    def build_folder(self, order: Order, folder: Path, base: Path) -> None:
        """Build an image on top of the archive `base` and write the files it consists of to a folder."""


def choose_engine(cache: Path) -> Engine:
    """Return the engine of this machine, installing buildah where Docker does not answer.

    Args:
        cache: folder in which buildah keeps layers, so that nothing global changes.

    Raises:
        Refusal: neither can be had.
    """
    if answers(["docker", "info"]):
        return Docker()
    if os.geteuid() != 0:
        raise Refusal(
            "No container engine answers ('docker info' fails), and only root can build without one.",
            "Start Docker, or run the same command as root on Debian or Ubuntu.",
        )
    _install_missing({"buildah": "buildah", "debootstrap": "debootstrap", "unshare": "util-linux"})
    return Buildah(cache)


def _say_that_another_builds() -> None:
    print("hack/images: another command builds an image; waiting for it", file=sys.stderr, flush=True)


def _install_missing(packages: Mapping[str, str]) -> None:
    missing = sorted(package for program, package in packages.items() if not shutil.which(program))
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise Refusal(
            f"No container engine answers, and building without one needs {' and '.join(missing)}.",
            f"Install {' and '.join(missing)}, or start Docker.",
        )
    step = f"installing {', '.join(missing)} by apt-get, because no container engine answers"
    print(f"hack/images: {step}", flush=True)
    run(["apt-get", "update", "-qq"], step=step)
    run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing], step=step)


class Docker:
    """A Docker engine with BuildKit."""

    def build_archive(self, order: Order, archive: Path) -> None:
        """Build by the engine, then have it save the image."""
        self._build(order, *order.arguments(BASE))
        reference = order.recipe.reference
        run(["docker", "save", "--output", archive, reference], step=f"saving {reference}")

    def build_folder(self, order: Order, folder: Path, base: Path) -> None:
        """Load the base, which another engine may have built, and let BuildKit write the files."""
        run(["docker", "load", "--quiet", "--input", base], step=f"loading {base.name}")
        self._build(order, "--output", f"type=local,dest={folder}", *order.arguments())

    @staticmethod
    def _build(order: Order, *arguments: str) -> None:
        run(["docker", "build", "--progress=plain", *arguments], step=f"building {order.recipe.name}")


class Buildah:
    """Buildah without any daemon; its images, layers and mounts stay in a folder and in namespaces of its own.

    Args:
        cache: the folder.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._in_use = cache / IN_USE

    def build_archive(self, order: Order, archive: Path) -> None:
        """Build from the Debian base, then write the archive."""
        self._build(order, "--layers", *order.arguments(self._base()))
        reference = order.recipe.reference
        self._buildah("push", reference, f"docker-archive:{archive}:{reference}", step=f"saving {reference}")

    def build_folder(self, order: Order, folder: Path, base: Path) -> None:
        """Build from the archive itself, which buildah reads as an image, and keep no image of the files."""
        output = f"type=local,dest={folder}"
        self._build(order, "--layers=false", "--output", output, *order.arguments(f"docker-archive:{base}"))
        self._buildah("rmi", order.recipe.reference, step=f"removing the layers of {order.recipe.name}")

    def _base(self) -> str:
        base = build_base(self._cache / "base")
        name = f"localhost/council-base:{base.parent.name}"
        with locked(base.parent):
            if not answers([*self._command(), "inspect", "--type", "image", name]):
                step = "making an image of the Debian base"
                self._buildah("bud", "--tag", name, "--file", base.with_name("Dockerfile"), base.parent, step=step)
        return name

    def _build(self, order: Order, *arguments: str) -> None:
        """Build alone: two builds mount the layers that they share in namespaces of their own, and spoil them."""
        isolation = ["--isolation", "chroot", "--network", "host"]
        with locked(self._in_use, busy=_say_that_another_builds):
            self._buildah("rm", "--all", step="clearing what an interrupted build left")
            self._buildah("bud", *isolation, *arguments, step=f"building {order.recipe.name}")

    def _buildah(self, *arguments: str | Path, step: str) -> None:
        run([*self._command(), *arguments], step=step)

    def _command(self) -> list[str]:
        # Mounts end with the mount namespace, and every process with the PID namespace, however the build ends.
        isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
        root, run_root = (f"{self._cache}/{folder}" for folder in BUILDAH_FOLDERS)
        return [*isolated, "buildah", "--root", root, "--runroot", run_root, "--storage-driver", "overlay"]
