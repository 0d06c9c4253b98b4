"""A Debian base for builds without a registry, made by debootstrap from the machine's package mirror."""

import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from clusters.locks import locked
from image_build.programs import run

SUITE = "bookworm"
# What comes from this machine or can be fetched again; a container gets devices, resolver and host name of its own.
_NOT_IN_THE_BASE = ("./etc/resolv.conf", "./etc/hostname", "./var/cache/apt/", "./var/lib/apt/lists/", "./dev/")


def build_base(cache: Path) -> Path:
    """Return the archive of the base's files, beside a Dockerfile that makes an image of it; made once.

    Args:
        cache: folder below which it is kept, in a folder named after the suite.

    Raises:
        StepFailed: debootstrap fails.
    """
    archive = cache / SUITE / "base.tar"
    with locked(archive.parent):
        if not archive.exists():
            _bootstrap(archive)
    return archive


def _bootstrap(archive: Path) -> None:
    archive.with_name("Dockerfile").write_text('FROM scratch\nADD base.tar /\nCMD ["bash"]\n')
    with TemporaryDirectory(dir=archive.parent.parent) as scratch:
        root = Path(scratch) / "root"
        isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL"]
        # Without a mirror's name debootstrap takes the distribution's own.
        run([*isolated, "debootstrap", "--variant=minbase", SUITE, root], step=f"making a Debian {SUITE} base")
        unfinished = Path(scratch) / "base.tar"
        with tarfile.open(unfinished, "w") as content:
            content.add(root, arcname=".", filter=_keep)
        unfinished.rename(archive)


def _keep(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if entry.name.startswith(_NOT_IN_THE_BASE) else entry
