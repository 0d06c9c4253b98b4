"""The cache of finished images and models: named by the digest of what they were made from, made once, used often."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from clusters.errors import Refusal
from clusters.locks import locked
from image_build import sources
from image_build.engines import BASE, Engine, Order, choose_engine
from image_build.pip_settings import read_settings
from image_build.pruning import WORKPLACE
from image_build.recipes import MODEL, MODEL_SETTINGS, REPOSITORY, Recipe, read_recipes

GIBIBYTE = 1024**3
MODEL_NAME = "gemma3-270m"
_MADE_FROM = ".made-from"

SUPERSEDED_AFTER_SECONDS = 3600.0
"""Age of an archive that a newer one replaces. Another working tree may be about to load a younger one."""


@dataclass(frozen=True)
class Store:
    """Where images and models are kept.

    Attributes:
        cache: the project's cache folder.
        repository: the checkout that is built.
        choose: finds the engine, given the folder in which it may keep what it needs.
    """

    cache: Path
    repository: Path = REPOSITORY
    choose: Callable[[Path], Engine] = choose_engine

    def archive(self, recipe: Recipe) -> Path:
        """Return where the archive of the image lies, or will lie once it is built."""
        return self.cache / "images" / f"{recipe.name}-{sources.digest(self.repository, recipe, BASE)}.tar"

    def build(self, recipe: Recipe) -> Path:
        """Build the image unless its archive is there, and remove the archives that it supersedes.

        Raises:
            Refusal: the machine lacks an engine or disk space.
            StepFailed: a step of the build fails.
        """
        archive = self.archive(recipe)
        if archive.exists():
            return archive
        with self._workplace(recipe) as (engine, order, scratch):
            if not archive.exists():
                archive.parent.mkdir(parents=True, exist_ok=True)
                unfinished = scratch / archive.name
                engine.build_archive(order, unfinished)
                unfinished.rename(archive)
                self._remove_superseded(recipe, archive)
        return archive

    def prepare_model(self) -> Path:
        """Convert the small real model unless that was done, and return its folder.

        Raises:
            Refusal: the machine lacks an engine or disk space.
            StepFailed: a step fails.
        """
        server = read_recipes(self.repository)["vllm-cpu"]
        # The server only lends its packages: a change of its image does not change what they write.
        made_from = sources.digest(self.repository, MODEL, server.reference)
        folder = self.cache / "models" / MODEL_NAME
        if self._model_is(folder, made_from):
            self._settle(folder)
            return folder
        base = self.build(server)
        with self._workplace(MODEL) as (engine, order, scratch):
            if not self._model_is(folder, made_from):
                unfinished = scratch / MODEL_NAME
                engine.build_folder(order, unfinished, base)
                (unfinished / _MADE_FROM).write_text(made_from)
                # The model server runs as another user.
                for path in (unfinished, *unfinished.rglob("*")):
                    path.chmod(0o755 if path.is_dir() else 0o644)
                folder.parent.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(folder, ignore_errors=True)
                unfinished.rename(folder)
        self._settle(folder)
        return folder

    def _settle(self, folder: Path) -> None:
        """Put the present settings beside the weights; a server reads them when it starts."""
        for setting in MODEL_SETTINGS:
            target = folder / Path(setting).name
            target.write_text((self.repository / setting).read_text())
            target.chmod(0o644)

    @contextmanager
    def _workplace(self, recipe: Recipe) -> Iterator[tuple[Engine, Order, Path]]:
        """Give one build of an image at a time an engine, an order for the recipe, and a scratch folder."""
        place = self.cache / WORKPLACE
        waiting = f"hack/images: {recipe.name} is being built by another command; waiting for it"
        with locked(place / "orders" / recipe.name, busy=lambda: print(waiting, file=sys.stderr, flush=True)):
            self._check_disk(recipe)
            with TemporaryDirectory(dir=place, prefix="scratch-") as name:
                scratch = Path(name)
                sources.lay_out(self.repository, recipe, scratch / "context")
                order = Order(recipe, scratch / "context", read_settings().write(scratch))
                yield self.choose(place), order, scratch

    def _check_disk(self, recipe: Recipe) -> None:
        free = shutil.disk_usage(self.cache).free
        if free < recipe.gibibytes * GIBIBYTE:
            raise Refusal(
                f"Building {recipe.name} takes up to {recipe.gibibytes} GiB, and {free / GIBIBYTE:.1f} GiB are free "
                f"at {self.cache}.",
                "Free some space there, or set XDG_CACHE_HOME to a folder on a larger disk.",
            )

    def _remove_superseded(self, recipe: Recipe, archive: Path) -> None:
        digits = "[0-9a-f]" * sources.DIGEST_LENGTH
        for older in archive.parent.glob(f"{recipe.name}-{digits}.tar"):
            if older != archive and time.time() - older.stat().st_mtime > SUPERSEDED_AFTER_SECONDS:
                older.unlink()

    @staticmethod
    def _model_is(folder: Path, made_from: str) -> bool:
        try:
            return (folder / _MADE_FROM).read_text() == made_from
        except OSError:
            return False
