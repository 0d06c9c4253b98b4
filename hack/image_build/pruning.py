"""Giving back disk space: nothing that is removed here is missed, it only has to be made again."""

import shutil
from pathlib import Path

from clusters.image_store import STORE
from clusters.locks import locked
from image_build.engines import BUILDAH_FOLDERS, IN_USE

WORKPLACE = "image-build"


def prune(cache: Path) -> int:
    """Remove buildah's layers and the store from which new clusters get their images; return the bytes that were freed.

    Waits for a build, an import or a start of a cluster that is at work.
    """
    workplace, store = cache / WORKPLACE, cache / STORE
    freed = 0
    with locked(workplace / IN_USE):
        freed += sum(_remove(workplace / name) for name in BUILDAH_FOLDERS)
    with locked(store):
        freed += sum(_remove(path) for path in store.iterdir())
    return freed


def _remove(path: Path) -> int:
    """Remove a file or folder and return its size; a file with other names elsewhere frees nothing."""
    files = [path] if path.is_file() else [*path.rglob("*")]
    sizes = (file.lstat() for file in files if not file.is_dir() or file.is_symlink())
    size = sum(found.st_blocks * 512 for found in sizes if found.st_nlink == 1)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return size
