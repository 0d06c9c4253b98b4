"""What goes into a build: found, digested, and laid out so that the build sees these files and no others."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from image_build.recipes import Recipe

DIGEST_LENGTH = 12
# A Dockerfile beside sources is no source: changing the runner's must not rebuild the operator.
_NO_SOURCES = {"__pycache__", "Dockerfile"}


def find_files(repository: Path, recipe: Recipe) -> Iterator[str]:
    """Yield the files that the recipe names, itself or by their folder, as sorted paths in the repository.

    A source that does not exist yet yields nothing: the build then says which COPY failed.
    """
    for source in sorted((recipe.dockerfile, *recipe.sources)):
        path = repository / source
        if path.is_file():
            yield source
        for file in sorted(path.rglob("*")):
            if file.is_file() and not _NO_SOURCES & set(file.relative_to(path).parts):
                yield str(file.relative_to(repository))


def digest(repository: Path, recipe: Recipe, base: str) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of all that the image is made from.

    Args:
        repository: where the files lie.
        recipe: the image.
        base: identity of the image that it begins from.
    """
    parts = [recipe.reference, base]
    for file in find_files(repository, recipe):
        parts += [file, hashlib.sha256((repository / file).read_bytes()).hexdigest()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:DIGEST_LENGTH]


def lay_out(repository: Path, recipe: Recipe, destination: Path) -> None:
    """Copy the files to a folder that becomes the build's context, with their times, which layers are compared by."""
    for file in find_files(repository, recipe):
        target = destination / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository / file, target)
