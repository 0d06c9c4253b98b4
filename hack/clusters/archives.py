"""Image archives in Docker's format: written from single files, read for their names and digests."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusters.errors import Refusal

# Go's names of processor architectures, which images use, by the kernel's.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Archive:
    """An image archive.

    Attributes:
        path: where it lies.
        names: the full names that the image gets, registry included.
        digest: digest of the image's configuration, as `sha256:...`; it tells images apart.
    """

    path: Path
    names: tuple[str, ...]
    digest: str


def full_name(name: str) -> str:
    """Return the name under which containerd keeps an image: `docker.io/a/b:1` for `a/b:1`."""
    first, _, rest = name.partition("/")
    if not rest:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    return name if ":" in name.rsplit("/", 1)[1] else f"{name}:latest"


def read(path: Path) -> Archive:
    """Return what an archive says about itself.

    Raises:
        Refusal: there is no such file, or it is no archive of exactly one image.
    """
    remedy = "Make one with 'docker save NAME -o FILE.tar' or 'buildah push NAME docker-archive:FILE.tar:NAME'."
    try:
        with tarfile.open(path) as archive:
            manifest = archive.extractfile("manifest.json")
            images = json.load(manifest) if manifest else []
        (image,) = images
        names = tuple(full_name(name) for name in image["RepoTags"])
        digest = Path(image["Config"]).name.removesuffix(".json")
    except FileNotFoundError as error:
        raise Refusal(f"There is no file '{path}'.", remedy) from error
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise Refusal(f"'{path}' is no archive of one image.", remedy) from error
    return Archive(path, names, f"sha256:{digest}")


def write(target: Path, name: str, files: Mapping[str, Path], config: Mapping[str, Any]) -> Archive:
    """Write an archive with one layer that holds these files, the same bytes for the same content.

    Args:
        target: where to write; replaced at once when complete.
        name: the image's name with its tag.
        files: the file to put at each absolute path of the image; all become readable and executable by everybody.
        config: how a container starts: `Entrypoint`, `User`, `Env` and the like.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    layer, unfinished = target.with_suffix(".layer"), target.with_suffix(".unfinished")
    try:
        with tarfile.open(layer, "w") as content:
            for place, source in sorted(files.items()):
                entry = tarfile.TarInfo(place.lstrip("/"))
                entry.size, entry.mode = source.stat().st_size, 0o755
                with source.open("rb") as opened:
                    content.addfile(entry, opened)
        with layer.open("rb") as opened:
            layer_digest = hashlib.file_digest(opened, "sha256").hexdigest()
        settings = _image_settings(layer_digest, config)
        settings_name = f"{hashlib.sha256(settings).hexdigest()}.json"
        manifest = [{"Config": settings_name, "RepoTags": [name], "Layers": [f"{layer_digest}/layer.tar"]}]
        with tarfile.open(unfinished, "w") as archive:
            _add(archive, settings_name, settings)
            archive.add(layer, arcname=f"{layer_digest}/layer.tar", filter=_anonymous)
            _add(archive, "manifest.json", json.dumps(manifest).encode())
        unfinished.rename(target)
    finally:
        layer.unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)
    return read(target)


def _image_settings(layer_digest: str, config: Mapping[str, Any]) -> bytes:
    machine = os.uname().machine
    settings = {
        "architecture": ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
    }
    return json.dumps(settings, sort_keys=True).encode()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
    return entry
